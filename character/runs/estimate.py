"""Before anything is paid for: whether a run can make any pair at all, and what it will take."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from character.backends import measuring
from character.config import Config
from character.constitution import Constitution, Trait
from character.errors import ConfigError
from character.program import CharacterProgram
from character.records import Message
from character.responses.responder import MAX_CANDIDATES, spread_levels

if TYPE_CHECKING:
    from character.messages.files import MessageSource


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


def estimate(
    constitution: Constitution, config: Config, messages: MessageSource | None = None
) -> measuring.Estimate:
    """Return per stage, and as ``all``, the calls, tokens and USD a run will take; an unknown price is None.

    The program runs once for all messages of a trait that are alike; a repeated message counts once. Prompts
    are rendered and measured (about four Latin letters or one and a half Han characters to a token); lengths
    of replies are assumed; re-asks and refills are left out. Ranking counts all the passes that may be
    needed.
    """
    check_design(constitution, config)
    all_passes = measuring.with_all_passes(config, [config.responses.candidates])
    program = CharacterProgram.from_config(all_passes, measuring.unsent_lms(config.backends))
    meter = measuring.Meter()
    for trait in constitution.traits:
        if messages is None:
            groups = [(_generated(meter, program, trait, constitution), config.messages.per_trait)]
        else:
            distinct = {message.id: message for message in messages.messages(trait.name)}.values()
            of_as_many_turns = measuring.alike(distinct, lambda message: len(message.turns))
            groups = [(measuring.mean_message(group), len(group)) for group in of_as_many_turns]
        for message, number in groups:
            meter.drive(program.rollout_steps(message, trait, constitution), times=number)
    return meter.estimate({stage: stage for stage in ("messages", "responses", "ranking")})


def _generated(
    meter: measuring.Meter, program: CharacterProgram, trait: Trait, constitution: Constitution
) -> Message:
    """Measure the generation of a trait's messages, calls that are alike only once; return one message."""
    slices = program.slices(trait, constitution)
    made: list[Message] = []
    for (kind, number, num_shown), times in slices.shapes().items():
        earlier = [meter.text(measuring.MESSAGE_TOKENS) for _ in range(num_shown)]
        made += meter.drive(slices.generated(kind, number, earlier), times=times).messages
    return made[0]
