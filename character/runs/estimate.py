"""What a run will take, before anything is sent: its own program, driven by a meter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from character.backends.measuring import (
    MESSAGE_TOKENS,
    Estimate,
    Meter,
    mean_message,
    unsent_lms,
    with_all_passes,
)
from character.config import Config
from character.constitution import Constitution, Trait
from character.inputs import as_batch
from character.program import CharacterProgram
from character.records import Message
from character.runs.preflight import check_design

if TYPE_CHECKING:
    from character.messages.files import MessageSource


def estimate(constitution: Constitution, config: Config, messages: MessageSource | None = None) -> Estimate:
    """Return per stage, and as ``all``, the calls, tokens and USD a run will take; an unknown price is None.

    The program runs without a model, once for each trait and for all its messages that are alike. Prompts are rendered
    and measured (about four Latin letters or one and a half Han characters to a token); lengths of replies are
    assumed; re-asks and refills are left out. Ranking counts all the passes that may be needed.
    """
    check_design(constitution, config)
    lms = unsent_lms(config.backends)
    program = CharacterProgram.from_config(with_all_passes(config), lms)
    meter = Meter()
    for trait in constitution.traits:
        if messages is None:
            alike = [(_generated(meter, program, trait, constitution), config.messages.per_trait)]
        else:
            alike = _alike(messages.messages(trait.name))
        for message, number in alike:
            replace(meter, times=number).drive(program.rollout_steps(message, trait, constitution))
    return meter.estimate({stage: stage for stage in ("messages", "responses", "ranking")})


def _generated(meter: Meter, program: CharacterProgram, trait: Trait, constitution: Constitution) -> Message:
    """Measure the generation of a trait's messages, calls that are alike only once; return one of the messages."""
    slices, made = program.slices(trait, constitution), list[Message]()
    for (kind, number, num_shown), times in slices.shapes().items():
        call = slices.call(kind, number, [meter.text(MESSAGE_TOKENS) for _ in range(num_shown)])
        made += as_batch(
            replace(meter, times=times).measure(call), trait, kind, constitution.language
        ).messages
    return made[0]


def _alike(messages: Iterable[Message]) -> list[tuple[Message, int]]:
    """Return one message for all of as many turns, and how many it stands for; a repeated message counts once."""
    groups: dict[int, list[Message]] = {}
    for message in {each.id: each for each in messages}.values():
        groups.setdefault(len(message.turns), []).append(message)
    return [(mean_message(group), len(group)) for group in groups.values()]
