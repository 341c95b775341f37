"""What an export can be given, as the data of an export: a run, a program's result, or pairs."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import ValidationError

from character.config import PAIR_DESIGNS, Config, PairsConfig, is_rehearsal_model
from character.config.backend import ADDED_OPTIONS
from character.constitution import Constitution, Trait
from character.errors import ConfigError, InputError, UnknownNameError
from character.exports.facts import read_summary
from character.exports.models import ExportData
from character.exports.open_run import StoredRun
from character.exports.source import StoredRollouts
from character.files import problem
from character.records import CharacterResult, Message, PreferencePair, Rollout, Usage
from character.runs.session import reading, stored_config, stored_constitution
from character.runs.summary import RunSummary, summarize
from character.store.run_store import RunStore
from character.store.vetoes import read_vetoes
from character.text import fingerprint


@runtime_checkable
class NamedPairs(Protocol):
    """Pairs from one place with what is known of them, as ``read_pairs`` gives them (see ``PairSet``)."""

    name: str
    pairs: tuple[PreferencePair, ...]
    traits: tuple[Trait, ...]
    language: str
    rehearsal: bool | None


Run = ExportData | RunSummary | RunStore | StoredRun | Path | str
Exportable = Run | CharacterResult | NamedPairs | Iterable[PreferencePair]
"""A run (its folder, open, what ``run`` returned, its data), a program's result, or pairs."""
NOT_GIVEN = "not_given"
_LATER = {"effect", "optimize", "audit", "train"}
"""The sections of a configuration that say what is done with a run, not how it is made."""


def run_data(store: RunStore) -> ExportData:
    """Return the data of an open run, rollouts read as they are needed, with its audit where there is one."""
    summary = summarize(store)
    manifest = {
        "models": summary.models,
        "seed": summary.seed,
        "config_fingerprint": _fingerprint_of(stored_config(store)),
        "run_fingerprint": fingerprint(json.loads(store.meta("identity") or "{}")),
        "created_at": store.meta("created_at") or "",
        "rehearsal": summary.rehearsal,
        "usage": sum(summary.usage.values(), Usage()).model_dump(),
        "drops": summary.dropped,
        "audit": read_summary(store.folder),
        "pending": summary.messages.get("pending", 0) + summary.messages.get("failed", 0),
    }
    return ExportData(
        constitution=stored_constitution(store),
        rollouts=StoredRollouts(store),
        vetoes=read_vetoes(store.folder),
        manifest=manifest,
    )


def _fingerprint_of(config: Config) -> str:
    """Return the identity of a configuration, without the options that it leaves as they are by default."""
    settings = config.model_dump(mode="json", exclude=_LATER)
    settings["ranking"] = config.ranking.identity
    for name, backend in config.backends.items():
        for unset in ADDED_OPTIONS - backend.model_dump(exclude_defaults=True).keys():
            del settings["backends"][name][unset]
    for section in ("messages", "responses"):
        if settings[section]["prompting"] == "fields":  # as all was, before there was anything else
            del settings[section]["prompting"]
    return fingerprint(settings)


def rebuilt_pairs(store: RunStore, given: Mapping[str, Any], *, always: bool = False) -> PairsConfig | None:
    """Return how to rebuild a run's pairs: as it made them, but for what is given and not None.

    Where nothing is given, nothing is to be rebuilt (None), unless ``always``. Raises UnknownNameError for
    a setting or the design, and ConfigError for a value out of its range.
    """
    given = {name: value for name, value in given.items() if value is not None}
    for name in given.keys() - PairsConfig.model_fields:
        raise UnknownNameError("setting of [pairs]", name, PairsConfig.model_fields)
    if given.get("design", PAIR_DESIGNS[0]) not in PAIR_DESIGNS:
        raise UnknownNameError("pair design", given["design"], PAIR_DESIGNS)
    if not given and not always:
        return None
    try:
        return PairsConfig.model_validate(stored_config(store).pairs.model_dump() | given)
    except ValidationError as error:
        raise ConfigError(f"pairs: {error.errors()[0]['msg']}.") from None


def data_of(dataset: Exportable, of: Exportable | Constitution | None, stack: ExitStack) -> ExportData:
    """Return the data of an export; what is opened for it is closed by the stack.

    Raises InputError for what is none of these, for pairs of messages that are not in what they are to be
    ``of``, and where ``of`` says nothing that the dataset does not know itself.
    """
    constitution = of if isinstance(of, Constitution) else None
    whole = _whole(dataset, stack, constitution)
    if whole is not None:
        if of is None or (constitution and isinstance(dataset, CharacterResult)):
            return whole
        raise problem(__file__, "of_without_pairs")
    pairs = _checked(dataset)
    if of is None or constitution:
        return _of_pairs(pairs, constitution)
    base = _whole(of, stack)
    if base is None:
        raise problem(__file__, "of_what", name=type(of).__name__)
    return _chosen(base, pairs)


def _whole(given: Any, stack: ExitStack, constitution: Constitution | None = None) -> ExportData | None:
    match given:
        case ExportData():
            return given
        case CharacterResult():
            return _of_result(given, constitution)
        case RunSummary():
            return run_data(stack.enter_context(reading(given.folder, "run")))
        case NamedPairs():
            known = {"name": given.name, "language": given.language, "traits": given.traits}
            constitution = Constitution.model_validate(known) if given.traits else None
            return _of_pairs(given.pairs, constitution, given.rehearsal)
        case StoredRun():
            return run_data(given.store)
        case RunStore():
            return run_data(given)
        case str() | Path():
            return run_data(stack.enter_context(reading(given, "run")))
    return None


def _checked(given: Any) -> tuple[PreferencePair, ...]:
    pairs = tuple(given) if isinstance(given, Iterable) and not isinstance(given, Mapping) else (given,)
    for pair in pairs:
        if not isinstance(pair, PreferencePair):
            found = type(given if len(pairs) == 1 and pair is given else pair).__name__
            raise problem(__file__, "not_exportable", found=found)
    if not pairs:
        raise InputError("export was given no pairs.", expected="at least one PreferencePair")
    return pairs


def _of_result(result: CharacterResult, constitution: Constitution | None) -> ExportData:
    rankings = [one.model for ranking in result.rankings for one in ranking.passes]
    models = {
        "messages": [message.model for message in result.messages],
        "responses": [item.model for candidates in result.candidates for item in candidates.items],
        "ranking": rankings,
    }
    drops: dict[str, Counter[str]] = defaultdict(Counter)
    for drop in result.drops:
        if not drop.recovered:
            drops[drop.stage][drop.reason] += 1
    manifest = {
        "models": {stage: sorted({*names} - {""}) for stage, names in models.items() if any(names)},
        "rehearsal": _rehearsed(models["responses"], [*models["messages"], *rankings]),
        "usage": result.usage.model_dump(),
        "drops": {stage: dict(counts) for stage, counts in drops.items()},
    }
    known = constitution or result.constitution or _by_name(result.messages)
    return ExportData(constitution=known, rollouts=result.rollouts, manifest=manifest)


def _of_pairs(
    pairs: Sequence[PreferencePair], constitution: Constitution | None, rehearsal: bool | None = None
) -> ExportData:
    rollouts = []
    for message_id, group in _by_message(pairs).items():
        first = group[0]
        message = Message(
            id=message_id, trait=first.trait, kind=first.kind, turns=first.prompt, language=first.language
        )
        rollouts.append(Rollout(message=message, pairs=tuple(group)))
    names = [name for pair in pairs for name in (pair.chosen_model, pair.rejected_model)]
    manifest: dict[str, Any] = {"rehearsal": _rehearsed(names, []) if rehearsal is None else rehearsal}
    if any(names):
        manifest["models"] = {"responses": sorted({*names} - {""})}
    return ExportData(
        constitution=constitution or _by_name(pairs), rollouts=tuple(rollouts), manifest=manifest
    )


class _Chosen:
    """The rollouts of a base with other pairs; one that had pairs and was given none is left out."""

    def __init__(self, rollouts: Iterable[Rollout], pairs: Mapping[str, Sequence[PreferencePair]]) -> None:
        self._rollouts, self._pairs = rollouts, pairs

    def __iter__(self) -> Iterator[Rollout]:
        for rollout in self._rollouts:
            given = tuple(self._pairs.get(rollout.message.id, ()))
            if given or not rollout.pairs:
                yield rollout.model_copy(update={"pairs": given})


def _chosen(base: ExportData, pairs: Sequence[PreferencePair]) -> ExportData:
    given, ids = _by_message(pairs), {pair.id for pair in pairs}
    known: set[str] = set()
    num_left = 0
    for rollout in base.rollouts:
        known.add(rollout.message.id)
        num_left += sum(pair.id not in ids for pair in rollout.pairs)
    strangers = [message_id for message_id in given if message_id not in known]
    if strangers:
        raise problem(__file__, "strangers", number=len(strangers), first=strangers[0])
    left_out = {**base.left_out, **({NOT_GIVEN: num_left} if num_left else {})}
    return base.model_copy(update={"rollouts": _Chosen(base.rollouts, given), "left_out": left_out})


def _by_message(pairs: Iterable[PreferencePair]) -> dict[str, list[PreferencePair]]:
    groups: dict[str, list[PreferencePair]] = {}
    for pair in pairs:
        groups.setdefault(pair.message_id, []).append(pair)
    return groups


def _by_name(of: Sequence[Message | PreferencePair]) -> Constitution:
    """Return what is known of a constitution where nobody says it: the names of its traits."""
    names = dict.fromkeys(each.trait for each in of)
    if not names:
        raise InputError("There is nothing to export: the result is empty.", expected="at least one message")
    language = Counter(each.language for each in of).most_common(1)[0][0]
    traits = tuple(Trait(name=name, description=name) for name in names)
    return Constitution(name=", ".join(names)[:100], language=language, traits=traits)


def _rehearsed(answered: Sequence[str], others: Sequence[str]) -> bool | None:
    """Return whether the rehearsal model had a hand, None where nobody says who answered."""
    if any(is_rehearsal_model(name) for name in (*answered, *others)):
        return True
    return False if answered and all(answered) else None
