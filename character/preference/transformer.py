"""A reward model that was trained (``trl reward``), asked and measured as a preference model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from character._version import __version__
from character.constitution import Trait
from character.errors import MissingExtraError, ModelFileError
from character.files import problem
from character.preference.container import ModelFacts, checked_facts, json_object, read_file, save_facts
from character.preference.protocol import Conversation, Judged, PreferenceModel
from character.records import Message, PreferencePair, Turn
from character.statistics.arrays import Floats

FACTS_NAME = "preference.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_KEPT = ("conditioned", "batch_size", "max_length", "rehearsal")
"""What a model and its facts hold alike."""


class TransformerFacts(ModelFacts):
    """What ``preference.json`` holds of a reward model, and nothing else; the model itself lies beside it."""

    model: Literal["transformer"] = "transformer"
    conditioned: bool
    batch_size: int = Field(ge=1, le=4096)
    max_length: int = Field(ge=8, le=1_000_000)
    descriptions: dict[str, str] = Field(max_length=1_000)
    rehearsal: bool | None
    messages: str = Field(default="", max_length=16_000_000, pattern="^([0-9a-f]{16})*$")


@dataclass(frozen=True)
class TransformerPreference(PreferenceModel):
    """A sequence-classification model with one output, as ``trl reward`` leaves it, in safetensors.

    The conversation with the response is put through the tokenizer's chat template, as in training. With
    ``conditioned`` the trait's text stands before the user's first turn (see ``conditioned_turns``); a model
    that was trained on one trait without it wants ``conditioned=False``. ``descriptions`` are those of traits
    that are given by name, ``seen_messages`` the keys (see ``folds.message_key``) of those it was trained on.
    A text of more than ``max_length`` tokens keeps its end. Differences of scores are log-odds, because
    reward models are trained so; whatever else is in a batch may move a score by rounding errors. Code that
    comes with a model is never run.
    """

    folder: Path
    conditioned: bool = True
    descriptions: Mapping[str, str] = field(default_factory=dict)
    batch_size: int = 16
    max_length: int = 1024
    kind: str = "transformer"
    seen_messages: frozenset[int] = frozenset()
    rehearsal: bool | None = None

    @property
    def traits(self) -> tuple[str, ...]:
        """The traits whose descriptions are known."""
        return tuple(self.descriptions)

    @property
    def reads_traits(self) -> bool:
        """Whether a trait it was not trained on is judged by its text: where all texts say their trait."""
        return self.conditioned

    def told(self, traits: Sequence[Trait]) -> TransformerPreference:
        """Return the model that knows the descriptions of further traits; those it was trained on stay."""
        more = {trait.name: trait.description for trait in traits}
        return replace(self, descriptions={**more, **self.descriptions})

    def scores(self, judged: Sequence[Judged]) -> Floats:
        """Return the score of each response, in their order, on a GPU where there is one.

        Raises MissingExtraError without the extra ``train``, and ModelFileError where the folder holds no
        such model.
        """
        tokenizer, _ = self._loaded
        texts = [_templated(tokenizer, self._turns(item)) for item in judged]
        # Like lengths together need less padding.
        order = np.argsort([len(text) for text in texts], kind="stable")
        scores = np.empty(len(texts))
        for start in range(0, len(texts), self.batch_size):
            places = order[start : start + self.batch_size]
            scores[places] = self._forward([texts[place] for place in places])
        return scores

    def fit(self, pairs: Sequence[PreferencePair], *, seed: int = 0) -> TransformerPreference:
        """Refuse: reward models are trained by TRL, with a recipe that can be read, stopped and resumed."""
        raise problem(__file__, "fitted_elsewhere")

    def save(self, folder: Path | str) -> None:
        """Write the model, its tokenizer and ``preference.json`` into a folder."""
        folder = Path(folder)
        tokenizer, model = self._loaded
        try:
            model.save_pretrained(folder, safe_serialization=True)
            tokenizer.save_pretrained(folder)
        except OSError as error:
            raise problem(__file__, "not_written", ModelFileError, path=folder, cause=error) from None
        write_facts(replace(self, folder=folder))

    def _turns(self, item: Judged) -> list[dict[str, str]]:
        turns, trait = _plain_turns(item.messages), item.trait
        if isinstance(trait, str) and self.descriptions.get(trait):
            trait = Trait(name=trait, description=self.descriptions[trait])
        if self.conditioned:
            turns = conditioned_turns(turns, trait if isinstance(trait, str) else trait_text(trait))
        return [*turns, {"role": "assistant", "content": item.response}]

    def _forward(self, texts: list[str]) -> Floats:
        import torch

        tokenizer, model = self._loaded
        batch = tokenizer(
            texts,
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=self.max_length,
            add_special_tokens=False,  # the chat template has written them
        ).to(model.device)
        batch.pop("token_type_ids", None)
        with torch.inference_mode():
            logits = model(**batch).logits
        return np.asarray(logits[:, 0].float().cpu().numpy(), dtype=np.float64)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """The tokenizer and the model, on the GPU where there is one."""
        check_model_folder(self.folder)
        try:
            import torch
            from huggingface_hub.errors import StrictDataclassError
            from safetensors import SafetensorError
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError:
            raise MissingExtraError("a transformer preference model", "train") from None
        options = {"local_files_only": True, "trust_remote_code": False}
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.folder, truncation_side="left", **options)
            classifier = AutoModelForSequenceClassification
            model = classifier.from_pretrained(self.folder, use_safetensors=True, **options)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, StrictDataclassError) as error:
            first = " ".join(str(error).split("\n")[:2])
            raise ModelFileError(f"{self.folder}: is no model that can be loaded ({first[:200]}).") from None
        if model.config.num_labels != 1:
            number = model.config.num_labels
            raise problem(__file__, "not_one_output", ModelFileError, folder=self.folder, number=number)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        model.config.pad_token_id = tokenizer.pad_token_id
        return tokenizer, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


def conditioned_turns(turns: Sequence[Mapping[str, str]], trait: str) -> list[dict[str, str]]:
    """Return the turns with the trait's text before the user's first: how a reward model is told the trait.

    In the user's turn, because many chat templates have no place for a system's. Training data must be made
    with this function where the model is to be asked with it.
    """
    first, *others = turns or [{"role": "user", "content": ""}]
    return [{**first, "content": f"[{trait}]\n\n{first['content']}"}, *(dict(turn) for turn in others)]


def trait_text(trait: Trait) -> str:
    """Return what a reward model is told of a trait: its name and its description."""
    return f"{trait.name}: {trait.description}"


def write_facts(model: TransformerPreference) -> None:
    """Write how a model must be asked into its folder (``preference.json``); its weights may come later."""
    facts = TransformerFacts(
        character_version=__version__,
        descriptions=dict(model.descriptions),
        messages=np.array(sorted(model.seen_messages), dtype=">u8").tobytes().hex(),
        **{name: getattr(model, name) for name in _KEPT},
    )
    save_facts(model.folder / FACTS_NAME, facts)


def load_transformer(folder: Path, data: dict[str, Any]) -> TransformerPreference:
    """Return the model of a folder whose ``preference.json`` was read as ``data``; raises ModelFileError."""
    facts = checked_facts(TransformerFacts, data, folder / FACTS_NAME)
    check_model_folder(folder)
    return TransformerPreference(
        folder,
        descriptions=dict(facts.descriptions),
        seen_messages=frozenset(np.frombuffer(bytes.fromhex(facts.messages), dtype=">u8").tolist()),
        **{name: getattr(facts, name) for name in _KEPT},
    )


def check_model_folder(folder: Path) -> None:
    """Refuse a folder without safetensors, with links in it, or whose configuration names code of its own."""
    if not any((folder / name).is_file() for name in _WEIGHTS):
        raise problem(__file__, "no_weights", ModelFileError, folder=folder, names=" or ".join(_WEIGHTS))
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            raise ModelFileError(f"{path}: is a link.", expected="files alone")
    for path in (folder / "config.json", folder / "tokenizer_config.json"):
        if path.is_file() and "auto_map" in _settings(path):
            raise problem(__file__, "own_code", ModelFileError, path=path)


def _settings(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: not JSON ({str(error)[:80]}).") from None
    return json_object(value, path)


def _plain_turns(messages: Conversation) -> list[dict[str, str]]:
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    turns = messages.turns if isinstance(messages, Message) else messages
    return [Turn.model_validate(dict(turn)).model_dump() for turn in turns]


def _templated(tokenizer: Any, turns: list[dict[str, str]]) -> str:
    if tokenizer.chat_template is None:
        raise problem(__file__, "no_chat_template", ModelFileError)
    return str(tokenizer.apply_chat_template(turns, tokenize=False))
