"""A responder that samples the policy itself: in a CharacterProgram, the pairs are the policy's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from character.backends.drivers import RecipeModule
from character.constitution import Constitution, Trait
from character.inputs import as_message, as_trait
from character.records import Candidate, Candidates, Drop, Message, Usage
from character.responses.filters import unusable
from character.text import stable_seed
from character.training.sampling import OnBatch, SampledReply, Sampler
from character.views.rows import chat


class PolicyResponder(RecipeModule):
    """Answers a message several times with a model that lies in a folder, as that model answers anybody.

    The policy is not told of any trait: its replies differ by chance, and the ranking finds those that fit
    better. So a tuned model learns from what it says itself. ``prepare`` draws the replies to many messages
    in full batches, which is several times faster than one message after another; what it drew is handed out
    by the calls that follow, and other messages are sampled when they come. The same seed draws the same
    replies on the same machine.
    """

    def __init__(
        self,
        model: Path | str,
        num_candidates: int = 4,
        *,
        temperature: float = 1.0,
        max_new_tokens: int = 256,
        batch_size: int = 64,
    ) -> None:
        super().__init__()
        self.num_candidates = num_candidates
        self.sampler = Sampler(
            model, temperature=temperature, max_new_tokens=max_new_tokens, batch_size=batch_size
        )
        self.name = f"policy/{Path(model).resolve().name}-{self.sampler.folder.fingerprint[:8]}"
        self._drawn: dict[tuple[str, int], list[SampledReply]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> PolicyResponder:
        return self  # it holds a model, and programs are copied often

    def prepare(self, messages: Iterable[Message], *, seed: int = 0, on_batch: OnBatch | None = None) -> None:
        """Draw the replies to these messages now, in their order, for calls with the same ``seed``."""
        messages = list(messages)
        drawn = self.sampler.draw(
            [chat(message.turns) for message in messages],
            self.num_candidates,
            seed=stable_seed("policy", seed),
            on_batch=on_batch,
        )
        for message, replies in zip(messages, drawn, strict=True):
            self._drawn[message.id, seed] = replies

    def forward(
        self,
        message: Message | str,
        trait: Trait | str,
        *,
        constitution: Constitution | None = None,
        seed: int = 0,
    ) -> Candidates:
        """Return the usable replies of the policy, with what was dropped and why."""
        trait = as_trait(trait)
        message = as_message(message, trait)
        replies = self._drawn.get((message.id, seed))
        if replies is None:
            alone = stable_seed("policy", seed, message.id)
            replies = self.sampler.draw([chat(message.turns)], self.num_candidates, seed=alone)[0]
        name = constitution.assistant_name if constitution else ""
        usable: list[Candidate] = []
        drops: list[Drop] = []
        for reply in replies:
            if reply.is_cut:
                reason, detail = "cut_off", reply.text[:80]
            else:
                kept = [item.text for item in usable]
                reason, detail = unusable(
                    reply.text, message=message, trait=trait, kept=kept, assistant_name=name
                )
            if reason:
                drops.append(Drop(stage="responses", reason=reason, detail=detail, message_id=message.id))
            else:
                usable.append(Candidate(text=reply.text, seed=seed, model=self.name))
        return Candidates(
            message_id=message.id,
            trait=trait.name,
            items=tuple(usable),
            drops=tuple(drops),
            usage=Usage(calls=len(replies), cost_usd=0.0),
        )
