"""Whether a run can make any pair at all, before anything is paid for."""

from __future__ import annotations

from functools import partial

from character.config import Config
from character.constitution import Constitution
from character.errors import ConfigError
from character.responses.responder import MAX_CANDIDATES, spread_levels


def check_design(constitution: Constitution, config: Config) -> None:
    """Raise ConfigError where the default levels of some trait lack what the pair design pairs.

    What the configuration alone makes impossible is refused when it is read; this is about traits that name
    no opposite pole, or whose opposite pole takes the place of a level that would come twice.
    """
    design, number = config.pairs.design, config.responses.candidates
    if config.responses.levels is not None or design not in ("opposite", "neutral"):
        return
    for trait in constitution.traits:
        levels = partial(spread_levels, has_opposite=bool(trait.opposite))
        if design == "opposite" and not trait.opposite:
            raise ConfigError(
                f"the design opposite needs an opposite pole, and the trait {trait.name!r} names none.",
                expected="traits with the field opposite",
                fix="add it to the trait, or choose another design, such as best_rest.",
            )
        if design == "neutral" and len(set(levels(number))) == number:
            more = next(n for n in range(number, MAX_CANDIDATES + 1) if len(set(levels(n))) < n)
            raise ConfigError(
                f"the design neutral needs a level that comes twice; {number} candidates of {trait.name!r} "
                f"have the levels {', '.join(levels(number))}.",
                expected=f"at least {more} candidates, or levels that name one twice",
                fix=f"set --candidates {more}, or responses.levels.",
            )
