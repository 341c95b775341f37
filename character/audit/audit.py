"""The whole audit of a run: its messages, candidates, rankings and pairs, what stands out, and examples to read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from character._version import __version__
from character.audit.candidates import CandidateCounter
from character.audit.confounds import ConfoundAudit, audit_table
from character.audit.examples import ExampleCollector
from character.audit.findings import findings
from character.audit.messages.audit import Targets, audit_messages
from character.audit.rankings import audit_rankings
from character.audit.records import AUDIT_LANGUAGES, AuditLanguage, MoreOf, RunAudit
from character.constitution import Constitution, Trait
from character.errors import UnknownNameError
from character.pairs.balance import Balanced, balance_table
from character.pairs.features import FEATURES
from character.pairs.second_opinion import SecondOpinion
from character.pairs.table import PairTable, pair_table
from character.records import Message, PreferencePair, Rollout
from character.runs.session import require_kind, stored_config, stored_constitution
from character.runs.summary import RunSummary, summarize
from character.store.run_store import RunStore
from character.store.vetoes import Vetoes, read_vetoes, without_vetoed

Ask = Callable[[Sequence[PreferencePair], Sequence[Trait]], SecondOpinion]
"""Says what somebody else thinks of a run's pairs; the traits are those of the constitution."""


def audit(
    run_folder: Path | str,
    *,
    language: AuditLanguage | None = None,
    seed: int = 0,
    second_opinion: Ask | None = None,
) -> RunAudit:
    """Return the audit of a run, finished or not; no language model is called and nothing is written.

    ``language`` is that of the findings, the constitution's unless given. ``second_opinion`` is asked about all
    pairs (see ``second_opinion.second_opinion``). The same run and seed give the same audit. Raises StoreError where
    the folder holds no run and UnknownNameError for the language.
    """
    if language is not None and language not in AUDIT_LANGUAGES:
        raise UnknownNameError("The audit's language", language, AUDIT_LANGUAGES)
    with RunStore(run_folder) as store:
        require_kind(store, "run")
        constitution = stored_constitution(store)
        of_constitution: AuditLanguage = "zh" if constitution.language.casefold().startswith("zh") else "en"
        kept = _Kept(store, read_vetoes(store.folder))
        found = _audit(store, kept, constitution, language or of_constitution, seed)
        if second_opinion is not None:
            asked = [pair for rollout in kept.rollouts() for pair in rollout.pairs]
            found = found.model_copy(update={"second_opinion": second_opinion(asked, constitution.traits)})
    return found.model_copy(update={"findings": findings(found)})


@dataclass(frozen=True)
class _Kept:
    """What is left of a run without what reviewers vetoed."""

    store: RunStore
    vetoes: Vetoes

    def rollouts(self, left_out: Counter[str] | None = None) -> Iterator[Rollout]:
        """Yield the rollouts without what was vetoed; ``left_out`` counts that by reason."""
        counted: Counter[str] = Counter() if left_out is None else left_out
        for made in self.store.rollouts():
            rollout = without_vetoed(made, self.vetoes, counted)
            if rollout is not None:
                yield rollout

    def messages(self, constitution: Constitution) -> Iterator[Message]:
        """Yield the messages that nobody vetoed, those without a rollout included."""
        for message in _messages(self.store, constitution):
            if message.id not in self.vetoes.messages and message.trait not in self.vetoes.traits:
                yield message


def _audit(
    store: RunStore, kept: _Kept, constitution: Constitution, language: AuditLanguage, seed: int
) -> RunAudit:
    summary = summarize(store)
    confounds, sides, balanced = _pairs(kept, constitution, seed)
    levels: Counter[str] = Counter()
    vetoed: Counter[str] = Counter()
    num_pairs = 0
    candidates, examples = CandidateCounter(), ExampleCollector(confounds, constitution.traits)
    for rollout in kept.rollouts(vetoed):
        num_pairs += len(rollout.pairs)
        candidates.add(rollout)
        examples.add(rollout)
        levels.update(p.chosen_level for p in rollout.pairs if p.chosen_level and p.design != "neutral")
    traits = {trait.name: trait for trait in constitution.traits}
    gone = summary.messages["messages"] - sum(1 for _ in kept.messages(constitution))
    return RunAudit(
        constitution=constitution.name,
        language=language,
        version=__version__,
        seed=seed,
        traits=summary.traits,
        models=summary.models,
        rehearsal=summary.rehearsal,
        states={**summary.messages, "messages": summary.messages["messages"] - gone},
        num_pairs=num_pairs,
        vetoed=dict(sorted(vetoed.items())),
        dropped=summary.dropped,
        reasked=summary.reasked,
        messages=audit_messages(
            kept.messages(constitution), targets=_targets(store, constitution, summary), seed=seed
        ),
        candidates=candidates.audit(),
        rankings=audit_rankings(kept.rollouts(), traits=traits, seed=seed),
        confounds=confounds,
        sides=sides,
        chosen_levels=dict(sorted(levels.items())),
        balanced=balanced,
        examples=examples.examples(),
    )


def _messages(store: RunStore, constitution: Constitution) -> Iterator[Message]:
    """Yield every message of a run, those without a rollout included."""
    for trait in constitution.traits:
        last = store.last_ordinal(trait.name)
        if last is not None:
            yield from store.messages(trait.name, before=last + 1)


def _targets(store: RunStore, constitution: Constitution, summary: RunSummary) -> Targets | None:
    """Return how many messages the configuration asks for by trait and kind; None where it is not what asked.

    That is so for messages that were given or are not all there, and where fewer came than asked although too
    little was dropped on the way: then a program of the user's own asked for fewer.
    """
    config, given = (
        stored_config(store).messages,
        json.loads(store.meta("identity") or "{}").get("given messages"),
    )
    if (
        given
        or config.from_questions
        or not all(store.has_batch(trait.name) for trait in constitution.traits)
    ):
        return None
    asked = config.per_trait * len(constitution.traits)
    lost = sum(n for drops in (summary.dropped, summary.reasked) for n in drops.get("messages", {}).values())
    if asked - summary.messages["messages"] > lost:
        return None
    share, rest = divmod(config.per_trait, len(config.kinds))
    kinds = {str(kind): share + (place < rest) for place, kind in enumerate(config.kinds)}
    return {trait.name: kinds for trait in constitution.traits}


def _pairs(
    kept: _Kept, constitution: Constitution, seed: int
) -> tuple[ConfoundAudit | None, tuple[MoreOf, ...], Balanced | None]:
    """Return the confounds of the pairs and what balancing would keep; the ids of the kept are left out."""
    pairs: Iterator[PreferencePair] = (pair for rollout in kept.rollouts() for pair in rollout.pairs)
    table = pair_table(pairs, constitution.traits)
    if not table.ids:
        return None, (), None
    balanced = balance_table(table, seed=seed)
    return audit_table(table, seed), _sides(table), balanced.model_copy(update={"kept": ()})


def _sides(table: PairTable) -> tuple[MoreOf, ...]:
    signs = table.signs()
    shares = zip(FEATURES, (signs > 0).mean(axis=0), (signs < 0).mean(axis=0), strict=True)
    return tuple(MoreOf(name=name, chosen=float(more), rejected=float(less)) for name, more, less in shares)
