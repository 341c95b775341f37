"""The training methods: what each trains, which data it reads and how rows of that data look."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

MethodName = Literal["dpo", "reward", "grpo", "sft", "kto"]
METHOD_NAMES: tuple[MethodName, ...] = get_args(MethodName)


class Method(NamedTuple):
    """One way of training by TRL's command of the same name.

    ``format`` is the export format its data has, ``columns`` the columns it trains on (an export has more),
    and ``trains`` says in a few words what comes of it.
    """

    name: MethodName
    format: str
    columns: tuple[str, ...]
    trains: str

    @property
    def has_pairs(self) -> bool:
        """Whether a row is a pair of a chosen and a rejected response."""
        return "rejected" in self.columns


METHODS: dict[MethodName, Method] = {
    method.name: method
    for method in (
        Method(
            "dpo", "trl", ("prompt", "chosen", "rejected"), "the policy, on pairs, without a reward model"
        ),
        Method("reward", "trl", ("prompt", "chosen", "rejected"), "a reward model, on pairs"),
        Method("grpo", "trl-prompt", ("prompt",), "the policy, on its own replies, by a reward"),
        Method("sft", "trl-sft", ("prompt", "completion"), "the policy, on the best responses"),
        Method(
            "kto", "trl-kto", ("prompt", "completion", "label"), "the policy, on single labelled responses"
        ),
    )
}
