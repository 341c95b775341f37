"""The preference model: which of two responses fits a trait better, learnt from pairs; its worth, its uses.

``preference_model`` makes one by the name of its kind, ``load_preference_model`` reads a saved one. Fitting
needs the extra ``preference``; scoring with a light model needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from character.errors import ModelFileError, UnknownNameError
from character.files import problem

if TYPE_CHECKING:
    from character.preference.encoders import Embedder
    from character.preference.protocol import PreferenceModel


class PreferenceOptions(TypedDict, total=False):
    """The options of preference models; see ``preference_model`` and ``TransformerPreference``."""

    length_free: bool
    embedder: Embedder
    folder: Path | str
    conditioned: bool
    descriptions: Mapping[str, str]
    batch_size: int
    max_length: int


def preference_model(kind: str = "light", **options: Unpack[PreferenceOptions]) -> PreferenceModel:
    """Return a preference model to be fitted, by its kind.

    - ``light``: n-grams of words and characters. ``length_free`` (True).
    - ``embedding``: ``embedder``, a ``dspy.Embedder`` or any function from texts to an array (texts,
      dimensions). ``length_free`` (True).
    - ``transformer``: ``folder`` of a sequence-classification model that was trained (see
      ``transformer.TransformerPreference``); it is not fitted here.

    Raises UnknownNameError, and TypeError for an option that the kind does not have.
    """
    if kind not in _KINDS:
        raise UnknownNameError("kind of preference model", kind, _KINDS)
    return _KINDS[kind](**options)


def load_preference_model(folder: Path | str, *, embedder: Embedder | None = None) -> PreferenceModel:
    """Return a saved preference model; ``embedder`` is for one of kind ``embedding``.

    Reads plain JSON and plain arrays of known names, types and shapes, within bounds, and nothing else (of a
    transformer also safetensors); no file can bring code along. Raises ModelFileError that says what was
    wrong.
    """
    from character.preference.container import read_json
    from character.preference.linear import FACTS_NAME, load_linear

    folder = Path(folder)
    data = read_json(folder / FACTS_NAME)
    if data.get("kind") != "character-preference":
        raise problem(__file__, "another_kind", ModelFileError, path=folder / FACTS_NAME)
    if data.get("model") == "transformer":
        from character.preference.transformer import load_transformer

        return load_transformer(folder, data)
    return load_linear(folder, data, embedder)


def _light(*, length_free: bool = True) -> PreferenceModel:
    from character.preference.encoders import NGramTfidf
    from character.preference.linear import LinearPreference

    return LinearPreference(NGramTfidf(), length_free=length_free)


def _embedding(*, embedder: Embedder, length_free: bool = True) -> PreferenceModel:
    from character.preference.encoders import Embeddings
    from character.preference.linear import LinearPreference

    return LinearPreference(Embeddings(embedder), length_free=length_free)


def _transformer(*, folder: Path | str, **kwargs: Any) -> PreferenceModel:
    from character.preference.transformer import TransformerPreference

    return TransformerPreference(Path(folder), **kwargs)


_KINDS: dict[str, Callable[..., PreferenceModel]] = {
    "light": _light,
    "embedding": _embedding,
    "transformer": _transformer,
}
