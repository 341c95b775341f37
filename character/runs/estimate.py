"""What a run will take, before anything is sent: its own program, driven by a meter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from character.backends.measuring import (
    MESSAGE_TOKENS,
    Estimate,
    Meter,
    alike,
    mean_message,
    unsent_lms,
    with_all_passes,
)
from character.config import Config
from character.constitution import Constitution, Trait
from character.program import CharacterProgram
from character.records import Message
from character.runs.preflight import check_design

if TYPE_CHECKING:
    from character.messages.files import MessageSource


def estimate(constitution: Constitution, config: Config, messages: MessageSource | None = None) -> Estimate:
    """Return per stage, and as ``all``, the calls, tokens and USD a run will take; an unknown price is None.

    The program runs once for all messages of a trait that are alike. Prompts are rendered and measured (about
    four Latin letters or one and a half Han characters to a token); lengths of replies are assumed; re-asks
    and refills are left out. Ranking counts all the passes that may be needed.
    """
    check_design(constitution, config)
    all_passes = with_all_passes(config, [config.responses.candidates])
    program = CharacterProgram.from_config(all_passes, unsent_lms(config.backends))
    meter = Meter()
    for trait in constitution.traits:
        if messages is None:
            groups = [(_generated(meter, program, trait, constitution), config.messages.per_trait)]
        else:
            groups = _by_turns(messages.messages(trait.name))
        for message, number in groups:
            meter.drive(program.rollout_steps(message, trait, constitution), times=number)
    return meter.estimate({stage: stage for stage in ("messages", "responses", "ranking")})


def _generated(meter: Meter, program: CharacterProgram, trait: Trait, constitution: Constitution) -> Message:
    """Measure the generation of a trait's messages, calls that are alike only once; return one message."""
    slices = program.slices(trait, constitution)
    made: list[Message] = []
    for (kind, number, num_shown), times in slices.shapes().items():
        shown = [meter.text(MESSAGE_TOKENS) for _ in range(num_shown)]
        made += meter.drive(slices.generated(kind, number, shown), times=times).messages
    return made[0]


def _by_turns(messages: Iterable[Message]) -> list[tuple[Message, int]]:
    """Return one message for all of as many turns, and how many they are; a repeated message counts once."""
    distinct = {message.id: message for message in messages}.values()
    groups = alike(distinct, lambda message: len(message.turns))
    return [(mean_message(group), len(group)) for group in groups]
