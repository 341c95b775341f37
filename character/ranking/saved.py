"""A run's ranker from a file: its configuration, the ranker itself, and what to know before using it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from character.config import Config, PairDesign, RankingConfig
from character.errors import ConfigError, StoreError
from character.files import write_whole
from character.locale import wording
from character.ranking.ranker import Ranker
from optimizers.artifact.artifact import (
    RankerArtifact,
    apply_artifact,
    calibration_note,
    changes,
    dump_artifact,
    language_warning,
    load_artifact,
    model_warning,
    refusals,
)
from optimizers.errors import ArtifactError

COPY_NAME = "ranker.json"
"""The name under which a run folder keeps the ranker that the run was made with."""
_SETTINGS = ("strategy", "passes", "max_passes", "min_gain", "tournament", "method", "max_reasks")


def _read(path: Path | str) -> RankerArtifact:
    """Return a saved ranker; the same file is read once, however often a run asks what it says."""
    try:
        facts = Path(path).stat()
    except (OSError, ValueError):
        return load_artifact(path)
    return _read_once(str(path), facts.st_ino, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=8)
def _read_once(path: str, *_facts: int) -> RankerArtifact:
    return load_artifact(path)


def _ranker_of(artifact: RankerArtifact) -> Ranker:
    """Return today's ranker with the prompt that a saved one was tuned from."""
    return Ranker(strategy=artifact.ranker.strategy, reading=artifact.ranker.reading)


def with_tuned_ranker(config: Config) -> Config:
    """Return the configuration with the settings of its saved ranker, as far as it does not set them itself.

    One that names no saved ranker stays as it is. Raises ArtifactError for a file that is no saved ranker, or
    one that does not fit today's, and ConfigError where the configuration asks for another strategy than the
    ranker was tuned for.
    """
    if config.ranking.ranker is None:
        return config
    artifact, ranking = _read(config.ranking.ranker), config.ranking
    given = artifact.ranker
    if faults := refusals(artifact, _ranker_of(artifact)):
        raise ArtifactError(
            f"{ranking.ranker} does not fit today's ranker: {'; '.join(faults[:5])}.",
            expected="a ranker saved with the same fields, and examples that it can read",
            fix="tune it again with `character optimize`.",
        )
    if "strategy" in ranking.model_fields_set and ranking.strategy != given.strategy:
        raise ConfigError(
            f"{ranking.ranker} judges by {given.strategy}, ranking.strategy is {ranking.strategy}.",
            fix="leave the strategy out, or tune a ranker for it.",
        )
    if "read" in ranking.model_fields_set and (ranking.read == "text") != (given.reading == "text"):
        raise ConfigError(
            f"{ranking.ranker} was tuned to be read as {given.reading}, ranking.read is {ranking.read}.",
            fix="leave read out, or tune a ranker for it.",
        )
    own = set(ranking.model_fields_set)
    if "passes" in own:
        own.add("max_passes")  # the most passes go with the passes
    taken = {name: getattr(given, name) for name in _SETTINGS if name not in own}
    if "read" not in own:
        taken["read"] = given.reading
    return config.model_copy(update={"ranking": ranking.model_copy(update=taken)})


def build_ranker(settings: RankingConfig, lms: Mapping[str, Any], design: PairDesign = "best_rest") -> Ranker:
    """Return the ranker of a configuration: as tuned where it names a file, else with our own prompt.

    ``design`` is how its rankings become pairs, which an adaptive one goes by.
    """
    if settings.ranker is not None:
        settings = with_tuned_ranker(Config.model_construct(ranking=settings)).ranking
    jurors = {name: lms[name] for name in settings.backends if name in lms}
    ranker = Ranker(**_options(settings), jurors=jurors, adaptive=settings.adaptive, design=design)
    if settings.ranker is None:
        return ranker
    tuned: Ranker = apply_artifact(ranker, _read(settings.ranker), settings=False)
    return tuned


def _options(settings: RankingConfig) -> dict[str, Any]:
    more = {"max_passes": settings.most_passes, "reading": settings.read}
    return {name: getattr(settings, name) for name in _SETTINGS} | more


def ranker_fingerprint(settings: RankingConfig) -> str | None:
    """Return the identity of what the saved ranker judges by, wherever its file lies; None without one."""
    return _read(settings.ranker).fingerprint if settings.ranker else None


def ranker_notes(config: Config, language: str = "") -> list[str]:
    """Return what to know before a run in this language, where one is named, with its saved ranker.

    That it was tuned on another model, in another language or with the rehearsal model, was not adopted,
    measures length, or that our prompt changed since.
    """
    path = config.ranking.ranker
    if path is None:
        return []
    artifact = _read(path)
    judges = [config.backend(name).model_name for name in config.ranking.backends or ("ranking",)]
    notes = [model_warning(artifact, model, path) for model in dict.fromkeys(judges)]
    notes += [language_warning(artifact, language, path), calibration_note(artifact)]
    notes += [wording("report.page", "en")["rehearsal"]] if artifact.rehearsal else []
    if not artifact.adopted:
        notes.append(f"this ranker was not adopted: {artifact.reason or 'no gain was shown'}.")
    then = artifact.ranker.model_dump()
    now = _options(config.ranking)
    notes += [
        f"it was measured with {name} = {then[name]}, here it is {now[name]}."
        for name in _SETTINGS
        if name in config.ranking.model_fields_set and now[name] != then[name]
    ]
    notes += [f"{change}." for change in changes(artifact, _ranker_of(artifact))]
    return [f"{path}: {note}" for note in notes if note]


def keep_ranker(folder: Path, config: Config) -> Config:
    """Copy the saved ranker into a run folder, and return the configuration that reads the copy.

    A copy that is already there stays. Raises StoreError where it is not the same ranker.
    """
    if config.ranking.ranker is None:
        return config
    artifact = _read(config.ranking.ranker)
    copy = folder / COPY_NAME
    if not copy.exists():
        write_whole(dump_artifact(artifact), copy)
    given, there = artifact.fingerprint, _read(copy).fingerprint
    if there != given:
        raise StoreError(
            f"{copy} is another ranker ({there}) than the one given ({given}).",
            fix="start a new run with another --out.",
        )
    return config.model_copy(update={"ranking": config.ranking.model_copy(update={"ranker": str(copy)})})
