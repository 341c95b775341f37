"""Whether a preference model can be asked about traits: what is new to it is refused, or said to be so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from character.constitution import Trait
from character.errors import InputError
from character.preference.protocol import PreferenceModel


class Asked(NamedTuple):
    """A model that may be asked, and those of the traits that it was not fitted on."""

    model: PreferenceModel
    not_fitted: tuple[str, ...]

    @property
    def note(self) -> str:
        """What to know of the traits that the model was not fitted on; nothing where there are none."""
        if not self.not_fitted:
            return ""
        by = "what its traits have in common, which says little of another"
        if _reads_traits(self.model):
            by = "the trait's own text, which it reads"
        new, fitted = ", ".join(self.not_fitted), ", ".join(self.model.traits)
        return f"the model was not fitted on {new}; there it goes by {by} (it knows {fitted})."


def asked_about(
    model: PreferenceModel,
    names: Iterable[str],
    traits: Sequence[object] = (),
    *,
    where: str = "the model",
    by_name: bool = False,
) -> Asked:
    """Return the model as it can be asked about traits by these names.

    A model that reads a trait's text is told the descriptions of those among ``traits`` that are whole
    traits, and may be asked about any, unless it will be told names alone (``by_name``). A model that does
    not say which traits it knows is asked as it is. Raises InputError where a model that goes by its own
    traits alone knows none of the names; ``where`` is what the error calls it.
    """
    wanted = tuple(dict.fromkeys(names))
    not_fitted = tuple(name for name in wanted if name not in model.traits) if model.traits else ()
    if wanted and len(not_fitted) == len(wanted) and (by_name or not _reads_traits(model)):
        raise InputError(
            f"{where} was fitted on none of the traits {', '.join(wanted)}, "
            "and cannot tell anything of them.",
            expected=f"a trait it was fitted on: {', '.join(model.traits)}",
            fix="fit one on pairs of these traits (`character preference fit RUN --out FOLDER`), "
            "or give pairs of its own traits.",
        )
    if _reads_traits(model):
        model = model.told([trait for trait in traits if isinstance(trait, Trait)])
    return Asked(model, not_fitted)


def _reads_traits(model: PreferenceModel) -> bool:
    return getattr(model, "reads_traits", False)  # a model of the user's own need not say it
