"""The closed loop as a plan: how large it is, which steps it has, what each needs, and where things lie."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from character.errors import InputError
from character.records import Record

Judge = Literal["judge", "truth", "biased"]
"""Whose rankings a policy is tuned on: our ranker's, the truth's, or those of one that also likes jokes."""


class LoopSize(Record):
    """How large the loop is. ``topics`` is per language; each is asked about in eight ways.

    ``sft_replies`` is the number of replies to each message that the policy learns the language from,
    ``held_out`` the share of messages kept for measuring, ``measured`` the replies to each of those.
    """

    topics: int = 42
    held_out: float = 0.2
    hidden: int = 128
    layers: int = 2
    sft_replies: int = 4
    sft_epochs: int = 3
    candidates: int = 4
    dpo_epochs: int = 2
    dpo_rate: float = 2e-4
    grpo_steps: int = 40
    measured: int = 8
    judges: tuple[Judge, ...] = ("judge", "truth", "biased")
    has_reward_model: bool = True
    has_grpo: bool = True


FULL = LoopSize()
QUICK = LoopSize(
    topics=10,
    sft_replies=5,
    dpo_rate=4e-4,
    measured=8,
    judges=("judge",),
    has_reward_model=False,
    has_grpo=False,
)


class LoopConfig(Record):
    """One closed loop: its size and its seed."""

    size: LoopSize = FULL
    seed: int = 0


class Step(NamedTuple):
    """One step: what it does in a few words, and the steps whose outputs it needs."""

    name: str
    does: str
    needs: tuple[str, ...] = ()


def steps_of(size: LoopSize) -> list[Step]:
    """Return the steps, each after those it needs; what takes longest to be followed up comes first."""
    found = [
        Step("world", "write messages, a language to learn and an untrained model"),
        Step("policy", "teach the model the language (trl sft)", ("world",)),
        Step("run-judge", "sample the policy, rank, build pairs", ("policy",)),
    ]
    if size.has_reward_model:
        found.append(Step("reward-judge", "train a reward model (trl reward)", ("run-judge",)))
    found.append(Step("dpo-judge", "tune the policy on the pairs (trl dpo)", ("run-judge",)))
    if size.has_grpo:
        found.append(Step("grpo-judge", "tune the policy by the reward (trl grpo)", ("reward-judge",)))
    for judge in size.judges[1:]:
        found.append(Step(f"run-{judge}", _RANKED[judge], ("run-judge",)))
        if judge == "biased" and size.has_reward_model:
            found.append(Step("reward-biased", "train a reward model on its pairs", ("run-biased",)))
        found.append(Step(f"dpo-{judge}", "tune the policy on its pairs (trl dpo)", (f"run-{judge}",)))
    found.append(Step("sample-base", "sample the policy on held-out messages", ("policy",)))
    tuned = [step.name for step in found if step.name.startswith(("dpo-", "grpo-"))]
    found += [Step(f"sample-{name}", "sample the tuned policy on them", (name,)) for name in tuned]
    needed = tuple(step.name for step in found if step.name.startswith(("sample-", "reward-")))
    return [*found, Step("measure", "measure what changed, and draw it", needed)]


_RANKED = {
    "truth": "rank the same candidates by the truth",
    "biased": "rank the same candidates by a judge that also likes jokes",
}


class Places(NamedTuple):
    """Where everything of a loop lies."""

    out: Path

    @property
    def config(self) -> Path:
        """What loop this is."""
        return self.out / "loop.json"

    @property
    def constitution(self) -> Path:
        """The constitution of the toy world."""
        return self.out / "constitution.json"

    @property
    def messages(self) -> Path:
        """The messages to make pairs from."""
        return self.out / "messages.json"

    @property
    def held_out(self) -> Path:
        """The messages to measure on."""
        return self.out / "held-out.json"

    @property
    def untrained(self) -> Path:
        """The model before it has learnt anything."""
        return self.out / "untrained"

    @property
    def policy(self) -> Path:
        """The policy that is tuned: the base model of everything after it."""
        return self.trained("policy")

    @property
    def results(self) -> Path:
        """What came of it all."""
        return self.out / "results.json"

    @property
    def page(self) -> Path:
        """The picture of it."""
        return self.out / "closed-loop.html"

    def run(self, judge: str) -> Path:
        """The run that a judge ranked."""
        return self.out / "runs" / judge

    def training(self, name: str) -> Path:
        """The folder of one training: data, recipe, checks, log, model."""
        return self.out / "training" / name

    def trained(self, name: str) -> Path:
        """The model that came of a training."""
        return self.training(name) / "model"

    def replies(self, name: str) -> Path:
        """A model's replies to the held-out messages."""
        return self.out / "replies" / f"{name}.json"

    def step(self, name: str, suffix: str) -> Path:
        """A file about one step."""
        return self.out / "steps" / f"{name}.{suffix}"


def read_config(out: Path) -> LoopConfig:
    """Return what loop a folder holds; raises InputError where it holds none."""
    path = Places(out).config
    try:
        return LoopConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{path} cannot be read.", expected="a folder that `character demo closed-loop` wrote"
        ) from None
