"""The training methods and the presets of machines, as ``methods.toml`` lists them."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from character.files import toml_beside

MethodName = Literal["dpo", "reward", "grpo", "sft", "kto"]
METHOD_NAMES: tuple[MethodName, ...] = get_args(MethodName)
PresetName = Literal["laptop", "gpu24", "gpu80", "multi-gpu"]
PRESET_NAMES: tuple[PresetName, ...] = get_args(PresetName)


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


class Preset(NamedTuple):
    """What the machine decides.

    ``rows_at_once`` times ``accumulation`` (times the number of GPUs) is the batch. ``lora_rank`` is 0 for
    full fine-tuning, ``launcher`` the name of one of TRL's accelerate configurations, empty for a single
    process.
    """

    name: PresetName
    machine: str
    rows_at_once: int
    accumulation: int
    lora_rank: int
    on_cpu: bool = False
    launcher: str = ""


_TABLES = toml_beside(__file__, "methods")
METHODS: dict[MethodName, Method] = {
    name: Method(name, each["format"], tuple(each["columns"].split()), each["trains"])
    for name, each in _TABLES["methods"].items()
}
PRESETS: dict[PresetName, Preset] = {name: Preset(name, **each) for name, each in _TABLES["presets"].items()}
