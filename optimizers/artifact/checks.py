"""What a saved ranker is held against: today's signatures, and whether the ranker could read an example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optimizers.artifact.records import FieldFacts
from optimizers.artifact.text import value_fault

_SHOWN: dict[str, tuple[int, int]] = {"pairwise": (2, 2), "pointwise": (1, 1)}
_MOST_SHOWN = 64


def own_signature(strategy: str, reading: str = "text") -> Any:
    """Return the signature that rankers of a strategy start from, read as text or by probabilities."""
    from signatures.judging import CompareResponses, PickResponse
    from signatures.ranking import MarkResponse, MarkResponses, OrderResponses, RankResponses, ScoreResponse

    by_odds = {"scores": MarkResponses, "pairwise": PickResponse, "pointwise": MarkResponse}
    if reading != "text" and strategy in by_odds:
        return by_odds[strategy]
    return {
        "scores": RankResponses,
        "listwise": OrderResponses,
        "pairwise": CompareResponses,
        "pointwise": ScoreResponse,
    }[strategy]


def field_facts(signature: Any) -> tuple[FieldFacts, ...]:
    """Return the facts of a signature's fields, in order."""
    return tuple(
        FieldFacts(
            name=name,
            role="input" if name in signature.input_fields else "output",
            type=type_name(field.annotation),
            description=str((field.json_schema_extra or {}).get("desc") or ""),
        )
        for name, field in signature.fields.items()
    )


def type_name(annotation: Any) -> str:
    """Return how a type is written, such as ``list[int]``."""
    plain = isinstance(annotation, type) and not hasattr(annotation, "__args__")
    return annotation.__name__ if plain else str(annotation).replace("typing.", "")


def check_demo(demo: Mapping[str, Any], ranker: Any) -> str:
    """Return what makes an example unfit for a ranker's prompt, in words; nothing where it fits.

    An example has every input and every output but the reasoning, each of its field's type, and its outputs
    are a judgement that the ranker can read. Nothing in it may be what ``text_fault`` names. Extra fields,
    as optimizers note beside the signature's, do not matter here: they are not saved.
    """
    signature = ranker.rank.signature
    values = {name: demo[name] for name in signature.fields if name in demo}
    needed = [name for name in signature.fields if name != "reasoning" and name not in values]
    if needed:
        return f"the field {needed[0]} is missing"
    wrong = next((name for name in values if not _fits(values[name], signature.fields[name].annotation)), "")
    if wrong:
        return f"the field {wrong} is no {type_name(signature.fields[wrong].annotation)}"
    return value_fault(values) or _judgement_fault(values, ranker)


def _judgement_fault(demo: dict[str, Any], ranker: Any) -> str:
    number = len(demo["responses"])
    least, most = _SHOWN.get(ranker.strategy, (2, _MOST_SHOWN))
    if not least <= number <= most:
        return f"it shows {number} responses, expected {least} to {most}"
    outputs = {name: value for name, value in demo.items() if name in ranker.rank.signature.output_fields}
    _, fault = ranker.read(outputs, range(number))
    return "" if fault in ("", "unsuitable") else f"its outputs are no judgement of its responses ({fault})"


def _fits(value: Any, annotation: Any) -> bool:
    from pydantic import TypeAdapter, ValidationError

    try:
        TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True
