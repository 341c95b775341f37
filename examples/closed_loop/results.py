"""What came of a closed loop: how good the judges were, what the checks said, and what each tuning moved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import Literal

from character.messages.files import MessageFile
from character.records import Message, Record, Rollout
from character.statistics.intervals import Interval, bootstrap_mean
from character.store.run_store import RunStore
from character.training.data import Row, read_rows
from character.training.preparing import read_training
from character.training.reports import Check
from closed_loop.measured import PLAIN_MEASURES, EffectReport, Shift, measure_effect
from closed_loop.plan import Judge, LoopConfig, Places
from closed_loop.reward_model import held_out_accuracy
from closed_loop.world import CONSTITUTION, HUMOUR, PATIENCE, is_on_topic, read_reply, truth_measures

TARGET_BAR, OTHER_BAR, TOPIC_BAR = 0.30, 0.10, 0.07
"""The bars of the loop: the least shift of the trained trait, the most that the interval of the other one may
reach, and the most that may be lost of staying on topic."""
_COLUMNS = ("prompt", "chosen", "rejected")


BarCode = Literal["target", "other", "topic", "language", "bias"]


class Judged(Record):
    """What one judge's rankings were like, held against the truth.

    ``agreement`` is the share of pairs of candidates, of which one truly shows patience and the other does
    not, that the judge orders right (a tie counts half); ``truly_better`` the share of its pairs whose chosen
    side truly is the more patient. ``num_pairs`` counts the run's pairs, ``num_trained`` those trained on.
    ``checks`` is what was said before training, ``reward_accuracy`` how often the reward model trained on the
    pairs orders held-out ones of the same judge.
    """

    judge: Judge
    agreement: Interval
    num_pairs: int
    truly_better: float
    num_trained: int
    checks: tuple[Check, ...] = ()
    reward_accuracy: Interval | None = None
    reward_accuracy_by_truth: Interval | None = None

    @property
    def humour(self) -> Check | None:
        """What the checks said of humour in the two sides."""
        return next((check for check in self.checks if check.code == f"other_trait:{HUMOUR.name}"), None)

    @property
    def warned_of_humour(self) -> bool:
        """Whether a check before training said that humour sets the sides apart."""
        return self.humour is not None and self.humour.weight == "look"


class Bar(Record):
    """One thing the loop must show and whether it does: a shift with its interval against a bound.

    ``language`` is set where the shift is of one. For ``bias`` the shift is that of humour, ``warned`` says
    whether a check spoke up before training, and ``accuracy`` is that of the reward model on held-out pairs,
    in 0..1.
    """

    code: BarCode
    met: bool
    shift: float
    low: float
    high: float
    bound: float
    language: str = ""
    warned: bool | None = None
    accuracy: float | None = None

    @property
    def text(self) -> str:
        """The bar in English, in a line."""
        said = f"{self.shift:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"
        return {
            "target": f"patience moved {said}; more than {self.bound:+.2f} is asked",
            "other": f"humour moved {said}; an interval within {self.bound:.2f} of 0 is asked",
            "topic": f"on topic moved {said}; a loss under {self.bound:.2f} is asked",
            "language": f"patience moved {said} in {self.language}; surely above 0 is asked",
            "bias": f"a judge that also likes jokes moved humour {said}; the check before training "
            f"{'warned' if self.warned else 'did not warn'}",
        }[self.code]


class LoopResults(Record):
    """Everything a closed loop found out. ``effects`` are by the name of the training, such as ``dpo-judge``.

    ``samples`` are a few held-out messages with the replies of every model.
    """

    config: LoopConfig
    num_messages: int
    num_held_out: int
    num_parameters: int
    judged: dict[str, Judged]
    effects: dict[str, EffectReport]
    samples: tuple[dict[str, str], ...] = ()
    bars: tuple[Bar, ...] = ()

    @property
    def is_met(self) -> bool:
        """Whether every bar is met."""
        return all(bar.met for bar in self.bars)


def gather(places: Places, config: LoopConfig) -> LoopResults:
    """Return the results of a loop whose steps are complete, from the files they left."""
    messages = list(MessageFile(places.held_out, CONSTITUTION).messages(PATIENCE.name))
    replies = {
        path.stem: json.loads(path.read_text("utf-8"))
        for path in sorted(places.replies("x").parent.glob("*.json"))
    }
    measures = (*truth_measures(), *PLAIN_MEASURES)
    effects = {
        name: measure_effect(
            messages, replies["base"], said, measures, base_name="policy", tuned_name=name, seed=config.seed
        )
        for name, said in replies.items()
        if name != "base"
    }
    found = LoopResults(
        config=config,
        num_messages=len(json.loads(places.messages.read_text("utf-8"))),
        num_held_out=len(messages),
        num_parameters=_parameters(places.untrained),
        judged={judge: _judged(places, config, judge) for judge in config.size.judges},
        effects=effects,
        samples=tuple(_samples(messages, replies)),
    )
    return found.model_copy(update={"bars": tuple(_bars(found))})


def _judged(places: Places, config: LoopConfig, judge: Judge) -> Judged:
    with RunStore(places.run(judge)) as store:
        rollouts = [rollout for rollout in store.rollouts() if rollout.ranking]
    pairs = [pair for rollout in rollouts for pair in rollout.pairs]
    better = [_shows(pair.chosen) > _shows(pair.rejected) for pair in pairs]
    training = read_training(places.training(f"dpo-{judge}"))
    model = places.trained(f"reward-{judge}")
    accuracy = by_truth = None
    if model.is_dir():
        accuracy = held_out_accuracy(model, _held_out(places, f"reward-{judge}"))
        if "truth" in config.size.judges:
            by_truth = held_out_accuracy(model, _held_out(places, "dpo-truth"))
    return Judged(
        judge=judge,
        agreement=agreement(rollouts),
        num_pairs=len(pairs),
        truly_better=sum(better) / max(1, len(better)),
        num_trained=sum(file.rows for file in training.files if file.split == "train"),
        checks=training.checks,
        reward_accuracy=accuracy,
        reward_accuracy_by_truth=by_truth,
    )


def _held_out(places: Places, name: str) -> list[Row]:
    return list(read_rows(places.training(name) / "data" / "validation.jsonl", _COLUMNS))


def _shows(text: str) -> bool:
    return read_reply(text).patience > 0


def agreement(rollouts: Sequence[Rollout]) -> Interval:
    """Return how often rankings order right two candidates of which one truly shows patience."""
    values: list[float] = []
    groups: list[str] = []
    for rollout in rollouts:
        if rollout.candidates is None or rollout.ranking is None or not rollout.ranking.scores:
            continue
        scored = list(zip(rollout.candidates.texts, rollout.ranking.scores, strict=True))
        for (better, high), (worse, low) in permutations(scored, 2):
            if _shows(better) and not _shows(worse):
                values.append(0.5 if high == low else float(high > low))
                groups.append(rollout.message.id)
    found = bootstrap_mean(values, groups=groups)
    return found if found else Interval(0.0, 0.0, 0.0)


def _parameters(folder: Path) -> int:
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", framework="numpy") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 - it is no mapping
    total = 0
    for shape in shapes:
        size = 1
        for side in shape:
            size *= side
        total += size
    return total


def _samples(messages: Sequence[Message], replies: dict[str, list[list[str]]]) -> Iterator[dict[str, str]]:
    """Yield a few messages in both languages with the first reply of every model, the base's on topic."""
    shown: dict[str, int] = {}
    for place, message in enumerate(messages):
        if shown.get(message.language, 0) < 2 and is_on_topic(message, replies["base"][place][0]):
            shown[message.language] = shown.get(message.language, 0) + 1
            yield {"message": message.text, **{name: said[place][0] for name, said in replies.items()}}


def _bars(found: LoopResults) -> Iterator[Bar]:
    """Yield what the loop must show."""
    effect = found.effects["dpo-judge"]
    target, other, topic = (effect.shift(name) for name in ("patience", "humour", "on topic"))
    yield _bar("target", target, TARGET_BAR, met=target.shift > TARGET_BAR and target.low > 0)
    yield _bar("other", other, OTHER_BAR, met=other.low >= -OTHER_BAR and other.high <= OTHER_BAR)
    yield _bar("topic", topic, TOPIC_BAR, met=topic.shift > -TOPIC_BAR)
    for language in sorted(effect.by_language):
        here = effect.shift("patience", language)
        yield _bar("language", here, 0.0, met=here.low > 0).model_copy(update={"language": language})
    if "biased" in found.judged:
        judged, side = found.judged["biased"], found.effects["dpo-biased"].shift("humour")
        accuracy = judged.reward_accuracy and judged.reward_accuracy.estimate
        bar = _bar("bias", side, OTHER_BAR, met=judged.warned_of_humour and side.flagged)
        yield bar.model_copy(update={"warned": judged.warned_of_humour, "accuracy": accuracy})


def _bar(code: BarCode, shift: Shift, bound: float, *, met: bool) -> Bar:
    return Bar(code=code, met=met, shift=shift.shift, low=shift.low, high=shift.high, bound=bound)
