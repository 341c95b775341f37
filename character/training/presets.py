"""Presets: what a machine can hold, as settings. The laptop's was run; the others are from the field.

Sources: Open Character Training (LoRA r 64, alpha 128, learning rate 5e-5, batch 32, one epoch), TRL's own
defaults for full fine-tuning, and measurements of our own for the CPU (checkpointing of activations off is
2.3 times as fast).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

PresetName = Literal["laptop", "gpu24", "gpu80", "multi-gpu"]
PRESET_NAMES: tuple[PresetName, ...] = get_args(PresetName)


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


PRESETS: dict[PresetName, Preset] = {
    preset.name: preset
    for preset in (
        Preset("laptop", "a laptop without a GPU: small models, for trying", 8, 2, 16, on_cpu=True),
        Preset("gpu24", "one GPU of 24 GB: models to about 8 billion parameters, LoRA", 2, 16, 64),
        Preset("gpu80", "one GPU of 80 GB: models to about 14 billion parameters, LoRA", 8, 4, 64),
        Preset("multi-gpu", "several GPUs: full fine-tuning, sharded by FSDP", 2, 2, 0, launcher="fsdp2"),
    )
}
