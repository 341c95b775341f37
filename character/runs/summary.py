"""What a run is and what came of it: its identity, the facts written beside it, and the closing figures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from character._version import __version__
from character.config import Config, is_rehearsal_model
from character.constitution import Constitution
from character.errors import StoreError
from character.records import PreferencePair, Record, Usage
from character.store.errors import another_version
from character.store.run_store import RunStore
from character.text import fingerprint

REHEARSAL_NOTE = "made by the rehearsal backend: for trying and testing, not for training"
_OTHERWISE = {"prompts": "this version of character asks the models otherwise"}
_NOT_IDENTITY = {"concurrency", "budget", "store"}
_NOT_IDENTITY_OF_BACKEND = {
    "max_in_flight",
    "timeout_s",
    "num_retries",
    "api_key_env",
    "input_price",
    "output_price",
    "requests_per_minute",
    "tokens_per_minute",
}


class RunSummary(Record):
    """The closing figures of a run.

    ``messages`` counts messages per state (see ``run_loop.outcome``) and in all; ``dropped`` and ``reasked`` count
    per stage and reason what was lost, and what asking again made up for. ``usage`` is per stage. ``samples`` are up to five
    pairs, spread over the run. ``advice`` says what to do where nothing, or not everything, came of it.
    """

    folder: str
    constitution: str
    traits: tuple[str, ...]
    seed: int
    rehearsal: bool
    note: str
    messages: dict[str, int]
    pairs: int
    dropped: dict[str, dict[str, int]]
    reasked: dict[str, dict[str, int]]
    usage: dict[str, Usage]
    usage_by_trait: dict[str, Usage]
    usage_by_backend: dict[str, Usage]
    usage_by_model: dict[str, Usage]
    models: dict[str, list[str]]
    samples: tuple[PreferencePair, ...] = ()
    advice: str = ""


def identity(constitution: Constitution, config: Config, messages: str | None) -> dict[str, Any]:
    """Return what makes a run this run and no other, as flat names and values; limits and keys are no part of it.

    ``messages`` is the fingerprint of given messages, None where they are generated.
    """
    from character.ranking.saved import (
        ranker_fingerprint,  # it brings dspy, which readers of a run do without
    )

    settings = config.model_dump(mode="json", exclude=_NOT_IDENTITY)
    for backend in settings["backends"].values():
        for name in _NOT_IDENTITY_OF_BACKEND:
            backend.pop(name, None)
    settings["ranking"]["ranker"] = ranker_fingerprint(config.ranking)  # what it says, not where it lies
    known = {
        "constitution": constitution.fingerprint,
        "given messages": messages,
        "prompts": prompts_fingerprint(),
    }
    return {**known, **_flat(settings)}


def prompts_fingerprint() -> str:
    """Return the identity of the prompts this version sends."""
    from signatures.gauging import GaugeTrait
    from signatures.judging import CompareCoherence, CompareResponses
    from signatures.messages import KIND_DESCRIPTIONS, CheckMessages, GenerateMessages
    from signatures.ranking import OrderResponses, RankResponses, ScoreResponse
    from signatures.responses import (
        EXPRESSIONS,
        RespondAsCharacter,
        RespondAtEachExpression,
        RespondInCharacter,
        RespondPlainly,
    )

    signatures = (
        *(GenerateMessages, CheckMessages, RespondInCharacter, RespondAtEachExpression, RespondPlainly),
        *(RespondAsCharacter, GaugeTrait, CompareCoherence),
        *(RankResponses, OrderResponses, ScoreResponse, CompareResponses),
    )
    texts = [[signature.instructions, list(signature.fields)] for signature in signatures]
    return fingerprint([texts, KIND_DESCRIPTIONS, EXPRESSIONS])


def check_identity(store: RunStore, constitution: Constitution, config: Config, messages: str | None) -> None:
    """Raise StoreError, naming what differs, where the folder holds a run with another identity."""
    known = store.meta("identity")
    if known is None or store.is_untouched():
        return
    changed = changes_of(json.loads(known), identity(constitution, config, messages))
    if changed:
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        raise StoreError(
            f"{store.folder} holds a run that was made otherwise: {'; '.join(changed[:5])}{more}.",
            expected="the same constitution, messages and settings as before",
            fix=f"go on with the old settings, or start a new run with another --out; --reuse {store.folder} "
            "then takes over every call that is still the same.",
        )


def changes_of(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what differs between two identities, in words: values as they stand, of a fingerprint only that it is another."""
    before, now = _flat(dict(before)), _flat(dict(now))
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    return [_change(name, before.get(name), now.get(name)) for name in changed]


def _change(name: str, before: Any, now: Any) -> str:
    if _is_fingerprint(before) and _is_fingerprint(now):
        return f"{name}: {_OTHERWISE.get(name, 'not the same as before')}"
    shown = ["another" if _is_fingerprint(value) else repr(value) for value in (before, now)]
    return f"{name}: {shown[0]} before, {shown[1]} now"


def _is_fingerprint(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{16}", value) is not None


def write_down(store: RunStore, constitution: Constitution, config: Config, messages: str | None) -> None:
    """Write the identity, the constitution and the resolved configuration into the run, before anything is called."""
    if store.meta("identity") is not None and not store.is_untouched():
        return
    facts = {
        "constitution": constitution.model_dump_json(by_alias=True),
        "config": config.model_dump_json(),
        "version": __version__,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    for key, value in facts.items():
        store.set_meta(key, value)
    readable = {"constitution": json.loads(facts["constitution"]), "config": json.loads(facts["config"])}
    (store.folder / "run.json").write_text(
        json.dumps({**readable, "version": __version__}, ensure_ascii=False, indent=2) + "\n",
        encoding="utf-8",
    )
    store.set_meta("identity", json.dumps(identity(constitution, config, messages), ensure_ascii=False))


def run_constitution(store: RunStore) -> Constitution:
    """Return the constitution a run was made with."""
    try:
        return Constitution.model_validate_json(store.meta("constitution") or "{}")
    except ValidationError as error:
        raise another_version(str(store.folder), "constitution", error) from None


def require_run(store: RunStore) -> None:
    """Raise StoreError where the folder's store is that of something else: an effect, or an optimization."""
    for other in ("effect", "optimization"):
        if store.meta(other) is not None:
            raise StoreError(
                f"{store.folder} holds an {other}, not a run.",
                expected="the folder given to `character run … --out`",
            )


def run_config(store: RunStore) -> Config:
    """Return the configuration a run was made with."""
    try:
        return Config.model_validate_json(store.meta("config") or "{}")
    except ValidationError as error:
        raise another_version(str(store.folder), "configuration", error) from None


def summarize(store: RunStore) -> RunSummary:
    """Return the figures of a run, finished or not; raises StoreError where the folder holds something else."""
    require_run(store)
    constitution, config = run_constitution(store), run_config(store)
    counts, models = store.counts(), store.models()
    rehearsal = uses_rehearsal(store)
    return RunSummary(
        folder=str(store.folder),
        constitution=constitution.name,
        traits=tuple(trait.name for trait in constitution.traits),
        seed=config.seed,
        rehearsal=rehearsal,
        note=REHEARSAL_NOTE if rehearsal else "",
        pairs=counts.pop("pairs"),
        messages=counts,
        dropped=store.drops(recovered=False),
        reasked=store.drops(recovered=True),
        usage={stage: usage for (stage,), usage in store.usage("stage").items()},
        usage_by_trait={trait: usage for (trait,), usage in store.usage("trait").items()},
        usage_by_backend={backend: usage for (backend,), usage in store.usage("backend").items()},
        usage_by_model={model: usage for (model,), usage in store.usage("model").items()},
        models=models,
        samples=_samples(store),
        advice=_advice(store),
    )


def uses_rehearsal(store: RunStore) -> bool:
    """Return whether the rehearsal model had a hand in a run: by its configuration, or by the calls that were made."""
    named = (name for names in store.models().values() for name in names)
    return run_config(store).uses_rehearsal or any(is_rehearsal_model(name) for name in named)


def _advice(store: RunStore) -> str:
    counts, dropped = store.counts(), store.drops(recovered=False)
    worst = max(
        ((number, stage, reason) for stage, reasons in dropped.items() for reason, number in reasons.items()),
        default=None,
    )
    example = (
        f" {worst[2]} in {worst[1]}, for example: {store.example_of(worst[1], worst[2])}" if worst else ""
    )
    if counts.get("failed"):
        return f"{counts['failed']:,} messages failed because of their server; the same command tries them again.{example}"
    if not counts["pairs"] and not counts.get("pending"):
        return f"No pair came of this run. Most often lost:{example or ' nothing was dropped.'}"
    return ""


def _samples(store: RunStore, most: int = 5) -> tuple[PreferencePair, ...]:
    """Return up to five pairs from messages spread over the run, of differing places among their message's pairs."""
    paired = store.counts().get("paired", 0)
    count = min(most, paired)
    chosen = [store.nth("paired", i * paired // count) for i in range(count)]
    rollouts = [rollout for message_id in chosen for rollout in store.rollouts(message_id)]
    return tuple(rollout.pairs[i % len(rollout.pairs)] for i, rollout in enumerate(rollouts))


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat
