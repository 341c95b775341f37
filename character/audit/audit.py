"""The whole audit of a run: its messages, candidates, rankings and pairs, what stands out, and examples."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

from character._version import __version__
from character.audit.candidates import CandidateCounter
from character.audit.confounds import ConfoundAudit, audit_confounds
from character.audit.copies import copied_candidates, unfit_messages
from character.audit.examples import ExampleCollector
from character.audit.findings import findings
from character.audit.messages.audit import Targets, audit_messages
from character.audit.page.page import audit_page
from character.audit.rankings import audit_rankings
from character.audit.records import MoreOf, RunAudit
from character.config import Config, ConfigSource, as_config, with_section
from character.constitution import Constitution, Trait
from character.errors import UnknownNameError
from character.inputs import spelled_out
from character.locale import LANGUAGES, Language, report_language
from character.pairs.balance import Balanced, balance
from character.pairs.features import FEATURES
from character.pairs.table import PairTable, pair_table
from character.preference import load_preference_model
from character.preference.evaluation_records import SecondOpinion
from character.preference.measures import second_opinion
from character.preference.protocol import PreferenceModel, asked_about
from character.records import KeptRecord, Message, PreferencePair, Rollout
from character.report import html_path, write_page
from character.runs.session import reading, stored_config, stored_constitution
from character.runs.summary import RunSummary, summarize
from character.store.run_store import RunStore
from character.store.vetoes import Vetoes, read_vetoes, without_vetoed

PAGE_NAME = "audit.html"
Ask = Callable[[Sequence[PreferencePair], Sequence[Trait]], SecondOpinion]
"""Says what somebody else thinks of a run's pairs; the traits are those of the constitution."""


class AuditOptions(TypedDict, total=False):
    """The options of ``audit`` besides its run and its configuration, those of ``[audit]`` among them."""

    language: Language | None
    seed: int
    preference: PreferenceModel | Path | str | None
    second_opinion: Ask | None


class AuditResult(KeptRecord, RunAudit):
    """The audit of a run in a folder, which can be written there as a page."""

    def write_report(self, path: Path | str | None = None) -> Path:
        """Write the audit as an HTML file and as JSON beside it, and return the path of the former.

        It is audit.html in the run's folder unless given. Raises InputError for a file that is not named as
        HTML or cannot be written.
        """
        html = html_path(path or self.folder / PAGE_NAME)
        write_page(audit_page(self), self, html)
        return html


@spelled_out(AuditOptions)
def audit(
    run_folder: Path | str, config: ConfigSource = None, **options: Unpack[AuditOptions]
) -> AuditResult:
    """Return the audit of a run, finished or not; no language model is called and nothing is written.

    The options stand for those of the section ``[audit]``: ``language`` is that of the findings, the
    constitution's unless given, ``seed`` that of the intervals. A ``preference`` model (fitted, or its
    folder) says what it thinks of all pairs, and so does ``second_opinion``, any function of pairs and
    traits. The same run and seed give the same audit. Raises StoreError where the folder holds no run and
    UnknownNameError for the language.
    """
    config = _configured(config, options)
    language, seed = config.audit.language, config.audit.seed
    ask = options.get("second_opinion") or _asking(options.get("preference") or config.audit.preference, seed)
    with reading(run_folder, "run") as store:
        constitution = stored_constitution(store)
        kept = _Kept(store, read_vetoes(store.folder), constitution)
        result = _audit(kept, language or report_language(constitution.language), seed)
        if ask is not None:
            result = result.model_copy(
                update={"second_opinion": ask(list(kept.pairs()), constitution.traits)}
            )
    return AuditResult.in_folder(result.model_copy(update={"findings": findings(result)}), Path(run_folder))


audit_run = audit  # its public name


def _configured(config: ConfigSource, options: AuditOptions) -> Config:
    language = options.get("language")
    if language is not None and language not in LANGUAGES:
        raise UnknownNameError("The audit's language", language, LANGUAGES)
    plain = {name: options[name] for name in ("language", "seed") if options.get(name) is not None}
    return with_section(as_config(config), "audit", plain)


def _asking(preference: PreferenceModel | Path | str | None, seed: int) -> Ask | None:
    """Return what asks a preference model, given as one or by its folder, about a run's pairs."""
    if preference is None:
        return None
    if isinstance(preference, str | Path):
        model, where = load_preference_model(preference), f"the model {preference}"
    else:
        model, where = preference, "the model"

    def ask(pairs: Sequence[PreferencePair], traits: Sequence[Trait]) -> SecondOpinion:
        asked = asked_about(model, (pair.trait for pair in pairs), traits, where=where)
        return second_opinion(asked, pairs, seed=seed)

    return ask


@dataclass(frozen=True)
class _Kept:
    """What is left of a run without what reviewers vetoed."""

    store: RunStore
    vetoes: Vetoes
    constitution: Constitution

    def rollouts(self, left_out: Counter[str] | None = None) -> Iterator[Rollout]:
        """Yield the rollouts without what was vetoed; ``left_out`` counts that by reason."""
        counted: Counter[str] = Counter() if left_out is None else left_out
        for made in self.store.rollouts():
            rollout = without_vetoed(made, self.vetoes, counted)
            if rollout is not None:
                yield rollout

    def pairs(self) -> Iterator[PreferencePair]:
        for rollout in self.rollouts():
            yield from rollout.pairs

    def messages(self) -> Iterator[Message]:
        """Yield the messages that nobody vetoed, those without a rollout included."""
        for trait in self.constitution.traits:
            last = self.store.last_ordinal(trait.name)
            if last is not None and trait.name not in self.vetoes.traits:
                messages = self.store.messages(trait.name, before=last + 1)
                yield from (message for message in messages if message.id not in self.vetoes.messages)


def _audit(kept: _Kept, language: Language, seed: int) -> RunAudit:
    constitution, summary = kept.constitution, summarize(kept.store)
    confounds, sides, balanced = _pairs(kept, seed)
    levels: Counter[str] = Counter()
    vetoed: Counter[str] = Counter()
    num_pairs = 0
    candidates, examples = CandidateCounter(), ExampleCollector(confounds, constitution.traits)
    traits = {trait.name: trait for trait in constitution.traits}
    for rollout in kept.rollouts(vetoed):
        num_pairs += len(rollout.pairs)
        candidates.add(rollout)
        examples.add(rollout)
        levels.update(p.chosen_level for p in rollout.pairs if p.chosen_level and p.design != "neutral")
    messages = audit_messages(kept.messages(), targets=_targets(kept, summary), seed=seed)
    drops = (summary.dropped, summary.reasked)
    return RunAudit(
        copied=copied_candidates(kept.rollouts(), traits, drops),
        unfit=unfit_messages(kept.messages(), traits, messages, drops),
        constitution=constitution.name,
        language=language,
        version=__version__,
        seed=seed,
        **summary.model_dump(include={"traits", "models", "rehearsal", "dropped", "reasked"}),
        states={**summary.messages, "messages": messages.run.num_messages},
        num_pairs=num_pairs,
        vetoed=dict(sorted(vetoed.items())),
        messages=messages,
        candidates=candidates.audit(),
        rankings=audit_rankings(kept.rollouts(), traits=traits, seed=seed),
        confounds=confounds,
        sides=sides,
        chosen_levels=dict(sorted(levels.items())),
        balanced=balanced,
        examples=examples.examples(),
    )


def _targets(kept: _Kept, summary: RunSummary) -> Targets | None:
    """Return how many messages the configuration asks for by trait and kind; None where it is not what asked.

    That is so for messages that were given or are not all there, and where fewer came than asked although too
    little was dropped on the way: then a program of the user's own asked for fewer.
    """
    store, traits = kept.store, kept.constitution.traits
    config = stored_config(store).messages
    given = json.loads(store.meta("identity") or "{}").get("given messages")
    if given or config.from_questions or not all(store.has_batch(trait.name) for trait in traits):
        return None
    asked = config.per_trait * len(traits)
    lost = sum(n for drops in (summary.dropped, summary.reasked) for n in drops.get("messages", {}).values())
    if asked - summary.messages["messages"] > lost:
        return None
    share, rest = divmod(config.per_trait, len(config.kinds))
    kinds = {str(kind): share + (place < rest) for place, kind in enumerate(config.kinds)}
    return {trait.name: kinds for trait in traits}


def _pairs(kept: _Kept, seed: int) -> tuple[ConfoundAudit | None, tuple[MoreOf, ...], Balanced | None]:
    """Return the confounds of the pairs and what balancing would keep; the ids of the kept are left out."""
    table = pair_table(kept.pairs(), kept.constitution.traits)
    if not table.ids:
        return None, (), None
    balanced = balance(table, seed=seed)
    return audit_confounds(table, seed=seed), _sides(table), balanced.model_copy(update={"kept": ()})


def _sides(table: PairTable) -> tuple[MoreOf, ...]:
    signs = table.signs()
    shares = zip(FEATURES, (signs > 0).mean(axis=0), (signs < 0).mean(axis=0), strict=True)
    return tuple(MoreOf(name=name, chosen=float(more), rejected=float(less)) for name, more, less in shares)
