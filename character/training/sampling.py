"""Replies drawn from a model in a folder: many at once, on CPU or GPU, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from character.errors import InputError, MissingExtraError
from character.files import problem
from character.training.model_folder import ModelFolder, Turns, read_model_folder


class SampledReply(NamedTuple):
    """One reply; ``is_cut`` is true where it had not ended when the tokens ran out."""

    text: str
    is_cut: bool


OnBatch = Callable[[int, int], None]
"""Is told how many of how many replies there are."""


class Sampler:
    """A causal language model with its chat template, loaded once.

    ``temperature`` 0 takes the most probable token each time. ``batch_size`` replies are drawn at once; the
    texts depend on it as on the seed, because one stream of random numbers serves a whole batch. Raises
    MissingExtraError without transformers and InputError for a folder that has no chat template.
    """

    def __init__(
        self, model: Path | str, *, temperature: float = 1.0, max_new_tokens: int = 256, batch_size: int = 64
    ) -> None:
        folder = read_model_folder(model)
        if folder is None:
            raise InputError(f"{model} is no folder.", expected="the folder of a transformers model")
        if not folder.chat_template:
            raise problem(__file__, "no_chat_template", model=model)
        self.folder: ModelFolder = folder
        self.temperature, self.max_new_tokens, self.batch_size = temperature, max_new_tokens, batch_size
        self._tokenizer, self._model = _loaded(folder.path)
        self._alone = Lock()

    def draw(
        self, prompts: Sequence[Turns], number: int, *, seed: int = 0, on_batch: OnBatch | None = None
    ) -> list[list[SampledReply]]:
        """Return ``number`` replies to each prompt, in the prompts' order."""
        import torch

        texts = [
            self.folder.render(turns, add_generation_prompt=True) for turns in prompts for _ in range(number)
        ]
        # Prompts of like length share a batch, so that little is padded.
        order = sorted(range(len(texts)), key=lambda place: (len(texts[place]), place))
        drawn: dict[int, SampledReply] = {}
        with self._alone:  # the random numbers are torch's own, one stream for everybody
            torch.manual_seed(seed)
            for start in range(0, len(order), self.batch_size):
                places = order[start : start + self.batch_size]
                drawn.update(zip(places, self._batch([texts[i] for i in places]), strict=True))
                if on_batch:
                    on_batch(len(drawn), len(texts))
        return [[drawn[i * number + k] for k in range(number)] for i in range(len(prompts))]

    def _batch(self, texts: list[str]) -> list[SampledReply]:
        import torch

        encoded = self._tokenizer(
            texts, return_tensors="pt", padding=True, add_special_tokens=False, return_token_type_ids=False
        ).to(self._model.device)
        chance = {"do_sample": False}
        if self.temperature > 0:
            chance = {"do_sample": True, "temperature": self.temperature, "top_k": 0, "top_p": 1.0}  # type: ignore[dict-item]
        with torch.inference_mode():
            drawn = self._model.generate(**encoded, **chance, max_new_tokens=self.max_new_tokens)
        end = self._tokenizer.eos_token_id
        rows = drawn[:, encoded["input_ids"].shape[1] :].tolist()
        return [
            SampledReply(self._tokenizer.decode(row, skip_special_tokens=True).strip(), end not in row)
            for row in rows
        ]


def _loaded(path: Path) -> tuple[Any, Any]:
    """Return tokenizer and model; an adapter is loaded onto its base model."""
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise MissingExtraError("sampling from a model in a folder", "train") from None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer, AutoModelForCausalLM.from_pretrained(path, dtype=dtype).to(device).eval()
