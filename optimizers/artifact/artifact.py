"""Saved rankers: our own JSON, not DSPy's, because whoever edits a file must not be able to move requests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, Unpack

from pydantic import ValidationError

from character.files import write_whole
from character.text import fingerprint
from optimizers.artifact.checks import check_demo, field_facts, own_signature
from optimizers.artifact.records import LabelledFacts, MetricRow, RankerSettings, SignatureFacts, Versions
from optimizers.artifact.records import RankerArtifact as RankerArtifact
from optimizers.artifact.text import parse_plain, pretty, read_bounded, text_fault
from optimizers.errors import note, unusable

if TYPE_CHECKING:
    from optimizers.labelled.records import LabelledSet

_SETTINGS = tuple(name for name in RankerSettings.model_fields if name != "temperature")


class Provenance(TypedDict):
    """How a tuned ranker was made, as its file says it.

    ``strategy`` is how it was tuned, ``model`` the judge's model string, ``created_at`` a UTC time such as
    2026-01-31T12:00:00Z, ``rehearsal`` whether a model for trying and testing had a hand in it.
    """

    strategy: str
    model: str
    labelled: LabelledSet | LabelledFacts
    adopted: bool
    created_at: str
    character_version: str
    reason: NotRequired[str]
    metrics: NotRequired[Sequence[MetricRow]]
    rehearsal: NotRequired[bool]


def artifact_of(ranker: Any, **made: Unpack[Provenance]) -> RankerArtifact:
    """Return the record of a tuned ranker: what was tuned, for which model, on which labels, with what gain.

    Of the examples the signature's fields are kept, of the predictor's configuration the temperature. Raises
    ArtifactError where something in it could not be loaded again.
    """
    signature, own, labelled = ranker.rank.signature, _own(ranker), made["labelled"]
    settings = {name: getattr(ranker, name) for name in _SETTINGS if hasattr(ranker, name)}
    data = {
        **{key: value for key, value in made.items() if key != "character_version"},
        "ranker": {**settings, "temperature": ranker.rank.config.get("temperature")},
        "instructions": signature.instructions,
        "demos": [_plain_demo(demo, signature.fields, i) for i, demo in enumerate(ranker.rank.demos)],
        "calibration": ranker.calibration.model_dump(mode="json") if ranker.calibration is not None else None,
        "signature": SignatureFacts(
            name=own.__name__, fields=field_facts(signature), instructions=fingerprint(own.instructions)
        ),
        "labelled": labelled if isinstance(labelled, LabelledFacts) else _labelled_facts(labelled),
        "metrics": tuple(made.get("metrics", ())),
        "versions": Versions(character=made["character_version"], dspy=version("dspy")),
    }
    dumped = dump_artifact(_validated(data, "this ranker")).encode("utf-8", "surrogatepass")
    artifact = parse_artifact(dumped, "this ranker")
    if faults := refusals(artifact, ranker):
        raise unusable("demos", faults="; ".join(faults[:3]))
    return artifact


def dump_artifact(artifact: RankerArtifact) -> str:
    """Return the text of the file: sorted keys, instructions line by line, an example's field on one line."""
    data = artifact.model_dump(mode="json")
    return pretty({**data, "instructions": artifact.instructions.split("\n")}) + "\n"


def save_artifact(path: Path | str, artifact: RankerArtifact) -> None:
    """Write a saved ranker whole or not at all; raises ArtifactError for one that could not be loaded."""
    target = Path(path)
    text = dump_artifact(artifact)
    parse_artifact(text.encode("utf-8"), str(target))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(text, target)
    except OSError as error:
        raise unusable("not_written", path=target, why=error.strerror) from None


def load_artifact(path: Path | str) -> RankerArtifact:
    """Return a saved ranker; raises ArtifactError that names what was wrong and where.

    Reads at most 2 MB of plain JSON and accepts known keys alone, everywhere. Whether it fits today's
    signature is for ``differences`` and ``apply_artifact`` to say.
    """
    return parse_artifact(read_bounded(Path(path)), str(path))


def parse_artifact(data: bytes, where: str = "this ranker") -> RankerArtifact:
    """Return the saved ranker that the bytes of a file hold; ``where`` is what errors call it."""
    value = parse_plain(data, where)
    if not isinstance(value, dict) or value.get("kind") != "character-ranker":
        raise unusable("kind", where=where)
    lines = value.get("instructions")
    if not isinstance(lines, list) or not all(isinstance(line, str) and "\n" not in line for line in lines):
        raise unusable("instructions", where=where)
    instructions = "\n".join(lines)
    fault = text_fault(instructions)  # of the whole: a header may be spread over lines
    if fault:
        raise unusable("fault", where=f"{where}: instructions", fault=fault)
    _check_calibration(value.get("calibration"), where)
    return _validated({**value, "instructions": instructions}, where)


def refusals(artifact: RankerArtifact, ranker: Any) -> list[str]:
    """Return, in words, what keeps a saved ranker from being used with this one: fields, types, examples."""
    if artifact.ranker.strategy != ranker.strategy:
        return [f"it judges by {artifact.ranker.strategy}, the ranker by {ranker.strategy}"]
    then = {field.name: field for field in artifact.signature.fields}
    now = {field.name: field for field in field_facts(ranker.rank.signature)}
    reasons = [f"the field {name} is no longer there" for name in then if name not in now]
    reasons += [f"the field {name} is new" for name in now if name not in then]
    for name in [name for name in then if name in now]:
        if then[name].role != now[name].role:
            reasons.append(f"the field {name} was an {then[name].role}, it is an {now[name].role}")
        if then[name].type != now[name].type:
            reasons.append(f"the field {name} was of type {then[name].type}, it is {now[name].type}")
    if not reasons and list(then) != list(now):
        reasons.append(f"the fields stood in the order {', '.join(then)}, now in {', '.join(now)}")
    if not reasons:
        faults = (check_demo(demo, ranker) for demo in artifact.demos)
        reasons += [f"demos[{number}]: {fault}" for number, fault in enumerate(faults) if fault]
    return reasons


def changes(artifact: RankerArtifact, ranker: Any) -> list[str]:
    """Return, in words, what changed since and does not keep it from being used: our own prompt's wording."""
    notes: list[str] = []
    if artifact.ranker.strategy != ranker.strategy:
        return notes
    if artifact.signature.instructions != fingerprint(_own(ranker).instructions):
        notes.append("the default instructions, from which it was tuned, have changed since")
    now = {field.name: field.description for field in field_facts(ranker.rank.signature)}
    notes += [
        f"the description of the field {field.name} has changed since"
        for field in artifact.signature.fields
        if field.name in now and now[field.name] != field.description
    ]
    return notes


def differences(artifact: RankerArtifact, ranker: Any) -> list[str]:
    """Return every difference to today's ranker, those that keep it from being used first."""
    return [*refusals(artifact, ranker), *changes(artifact, ranker)]


def apply_artifact(ranker: Any, artifact: RankerArtifact, *, settings: bool = True) -> Any:
    """Return a copy of the ranker that judges as the saved one does; the ranker itself stays as it is.

    Instructions, examples, calibration and temperature are taken over, and with ``settings`` how it asks
    (passes, method, …). Models stay the ranker's own. Raises ArtifactError where ``refusals`` finds any.
    """
    reasons = refusals(artifact, ranker)
    if reasons:
        raise unusable("misfit", reasons="; ".join(reasons[:5]))
    tuned = ranker.deepcopy()
    instruct(tuned.rank, artifact.instructions, deepcopy(artifact.demos), artifact.ranker.temperature)
    tuned.calibration = _calibration(artifact.calibration)
    if settings:
        for name in _SETTINGS:
            setattr(tuned, name, getattr(artifact.ranker, name))
    return tuned


def instruct(
    predict: Any, instructions: str, demos: Iterable[Mapping[str, Any]], temperature: float | None
) -> None:
    """Put an instruction, demos and a temperature (None: the model's own) into a predictor, in place."""
    import dspy

    if predict.signature.instructions != instructions:
        predict.signature = predict.signature.with_instructions(instructions)
    inputs = list(predict.signature.input_fields)
    predict.demos = [dspy.Example(**demo).with_inputs(*inputs) for demo in demos]
    config = {name: value for name, value in predict.config.items() if name != "temperature"}
    predict.config = config if temperature is None else {**config, "temperature": temperature}


def model_warning(artifact: RankerArtifact, model: str, path: Path | str = "FILE") -> str:
    """Return what to know before another model judges than it was tuned on; nothing for the same one."""
    same = artifact.model == model
    return "" if same else note("another_model", tuned_on=artifact.model, model=model, path=path)


def language_warning(artifact: RankerArtifact, language: str, path: Path | str = "FILE") -> str:
    """Return what to know before judging in another language than the labels'; else nothing."""
    languages = [name.casefold().split("-")[0] for name in artifact.labelled.languages]
    if not languages or not language or language.casefold().split("-")[0] in languages:
        return ""
    labels = ", ".join(artifact.labelled.languages)
    return note("another_language", languages=labels, language=language, path=path)


def calibration_note(artifact: RankerArtifact) -> str:
    """Return in how far it is length that a saved ranker measures; nothing where it is not."""
    from optimizers.calibration.length import length_note

    return length_note(_calibration(artifact.calibration))


def _validated(data: Mapping[str, Any], where: str) -> RankerArtifact:
    try:
        return RankerArtifact.model_validate(dict(data))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        place = ".".join(str(part) for part in problems[0]["loc"]) or "the whole"
        fault = problems[0]["msg"].removeprefix("Value error, ")
        if problems[0]["type"] == "extra_forbidden":
            fault = "this key does not belong in a saved ranker"
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise unusable("invalid", where=where, place=place, fault=fault + more) from None


def _labelled_facts(labelled: Any) -> LabelledFacts:
    return LabelledFacts(
        name=labelled.name,
        fingerprint=labelled.fingerprint,
        num_items=len(labelled.items),
        languages=labelled.languages,
    )


def _own(ranker: Any) -> Any:
    return own_signature(ranker.strategy, getattr(ranker, "reading", "text"))


def _plain_demo(demo: Mapping[str, Any], fields: Mapping[str, Any], number: int) -> dict[str, Any]:
    values = {name: demo[name] for name in fields if name in demo}
    try:
        return dict(json.loads(json.dumps(values, allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise unusable("demo", number=number, error=error) from None


def _calibration(data: dict[str, Any] | None) -> Any:
    if data is None:
        return None
    from optimizers.calibration.calibration import Calibration

    return Calibration.model_validate(data)


def _check_calibration(data: Any, where: str) -> None:
    try:
        _calibration(data)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in ("calibration", *problem["loc"]))
        raise unusable("fault", where=f"{where}: {place}", fault=problem["msg"]) from None
