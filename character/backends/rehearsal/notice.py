"""What is said of whatever the rehearsal model had a hand in, wherever it goes."""

from __future__ import annotations

REHEARSAL_WORDS: dict[str, str] = {
    "en": "The rehearsal model had a hand in this. It is for trying and testing, not for training, "
    "and its figures say nothing about a real model.",
    "zh": "演练模型参与其中：仅供试用和测试，请勿用于训练，数字也不说明真实模型的情况。",
}
"""By report language."""
