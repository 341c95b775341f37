"""What an evaluation will take, before anything is sent: calls counted from its plan, prompts rendered and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from character.config import BackendConfig
from character.constitution import Trait
from character.evaluation.choices.offers import choosing_conditions, other_traits
from character.evaluation.conditions import (
    Condition,
    conditions_for,
    contrasts_for,
    pressed_conditions,
    shown,
)
from character.evaluation.pressure import PRESSURES
from character.evaluation.probe import COMPARED, Plan
from character.records import Usage
from character.runs.estimate import (
    MESSAGE_TOKENS,
    RANKING_TOKENS,
    RESPONSE_TOKENS,
    messages_usage,
    prompt_tokens,
    usage_of,
)
from character.text import language_name
from signatures.choosing import ChooseTrait, TellTrait
from signatures.gauging import GaugeTrait
from signatures.judging import CompareCoherence
from signatures.responses import RespondAsCharacter, RespondPlainly

_RESPONSE = "word " * RESPONSE_TOKENS
VERDICT_TOKENS = 120
"""Assumed length of a verdict on two responses, or on which of two traits shows, with its reasons, in tokens."""


def estimated(plan: Plan, models: Mapping[str, BackendConfig]) -> dict[str, Usage]:
    """Return per stage, and as ``all``, the calls, tokens and USD an evaluation will take; an unknown price is None.

    Prompts are measured, lengths of replies assumed; re-asks and refills are left out.
    """
    counted = _Counted(plan, models)
    stages = {
        "messages": counted.generated(),
        "responses": counted.responses(),
        "judging": counted.judgements() if plan.judged else Usage(),
        "choices": counted.choices(),
    }
    told = {name: usage for name, usage in stages.items() if usage.calls or name != "choices"}
    return {**told, "all": sum(told.values(), Usage())}


@dataclass(frozen=True)
class _Counted:
    plan: Plan
    models: Mapping[str, BackendConfig]

    def generated(self) -> Usage:
        plan = self.plan
        if plan.given is not None:
            return usage_of(plan.config.backend("messages"), 0, 0, 0)
        settings = plan.config.messages.model_copy(update={"per_trait": plan.messages_per_trait})
        config = plan.config.model_copy(update={"messages": settings})
        used = (messages_usage(trait, plan.constitution, config) for trait in plan.constitution.traits)
        return sum(used, Usage())

    def responses(self) -> Usage:
        total = Usage()
        for group in self.plan.groups:
            for condition in conditions_for(self.plan.constitution, group, self.plan.design):
                total += self._answers(condition, self._number(group))
            for condition in self._pressed(group):
                total += self._answers(condition, self._pressed_number(group))
        return total

    def judgements(self) -> Usage:
        plan, total = self.plan, Usage()
        for group in plan.groups:
            number = self._number(group)
            conditions = conditions_for(plan.constitution, group, plan.design)
            for trait in plan.constitution.traits:
                total += self._gauged(trait, len(conditions), number)
            if pressed := self._pressed(group):
                total += self._gauged(
                    plan.constitution.trait(group), len(pressed), self._pressed_number(group)
                )
            contrasts = contrasts_for(plan.constitution, [group], plan.design)
            verdicts = 2 * number * sum(contrast.question in COMPARED for contrast in contrasts)
            total += self._judged(CompareCoherence, {"responses": [_RESPONSE] * 2}, verdicts, VERDICT_TOKENS)
        return total

    def choices(self) -> Usage:
        plan, total = self.plan, Usage()
        if not plan.choices:
            return total
        traits = [plan.constitution.traits[0], other_traits(plan.constitution)[0]]
        offered = {"traits": [{"name": trait.name, "description": trait.description} for trait in traits]}
        asked = {**offered, "assistant_name": plan.constitution.assistant_name}
        for condition in choosing_conditions(plan.design):
            prompt = self._prompt(ChooseTrait, asked)
            backend = self._backend(condition.role)
            total += usage_of(backend, plan.choices, plan.choices * prompt, plan.choices * RESPONSE_TOKENS)
            total += self._judged(TellTrait, {**offered, "response": _RESPONSE}, plan.choices, VERDICT_TOKENS)
        return total

    def _number(self, group: str) -> int:
        if not group:
            return self.plan.neutral_messages
        return self.plan.given.count(group) if self.plan.given is not None else self.plan.messages_per_trait

    def _pressed_number(self, group: str) -> int:
        return min(self.plan.pressed_messages, self._number(group)) * len(PRESSURES)

    def _pressed(self, group: str) -> Sequence[Condition]:
        if not group or not self.plan.pressed_messages:
            return ()
        return pressed_conditions(self.plan.constitution, group, self.plan.design)

    def _answers(self, condition: Condition, number: int) -> Usage:
        traits = shown(self.plan.constitution, condition)
        inputs: dict[str, Any] = {"assistant_name": self.plan.constitution.assistant_name}
        if traits:
            inputs["character"] = [trait.brief() for trait in traits]
        prompt = self._prompt(RespondAsCharacter if traits else RespondPlainly, inputs)
        return usage_of(self._backend(condition.role), number, number * prompt, number * RESPONSE_TOKENS)

    def _gauged(self, trait: Trait, responses: int, number: int) -> Usage:
        inputs = {"trait": self.plan.judged_as(trait).brief(), "responses": [_RESPONSE] * responses}
        return self._judged(GaugeTrait, inputs, number, RANKING_TOKENS)

    def _judged(self, signature: Any, inputs: Mapping[str, Any], number: int, length: int) -> Usage:
        prompt = self._prompt(signature, inputs)
        return usage_of(self._backend("judge"), number, number * prompt, number * length)

    def _prompt(self, signature: Any, inputs: Mapping[str, Any]) -> int:
        shared = {
            "language": language_name(self.plan.constitution.language),
            "conversation": [{"role": "user", "content": "word " * MESSAGE_TOKENS}],
        }
        return prompt_tokens(signature, {**shared, **inputs})

    def _backend(self, role: str) -> BackendConfig:
        return self.models.get(role) or self.plan.config.backend(role)
