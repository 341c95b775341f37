"""What our modules give back, as DSPy's own tools take it: the record it was, and a ``dspy.Prediction``."""

from __future__ import annotations

from functools import cache
from types import new_class
from typing import Any

import dspy
from pydantic import PrivateAttr

from character.records import Record


class _Items(tuple[Any, ...]):
    """The field ``items`` of a record, which can be called too: DSPy's tools ask ``items()`` for fields."""

    record: Record

    def __call__(self, include_dspy: bool = False) -> list[tuple[str, Any]]:
        return list(self.record.toDict().items())


class _Prediction(dspy.Prediction):
    """A record's fields and properties, by the names under which DSPy's tools ask for them.

    ``result["pairs"]`` is ``result.pairs``; ``items()`` and ``toDict()`` give what JSON can hold.
    """

    def keys(self, include_dspy: bool = False) -> list[str]:
        return list(self.toDict())

    def values(self, include_dspy: bool = False) -> list[Any]:
        return list(self.toDict().values())

    def items(self, include_dspy: bool = False) -> list[tuple[str, Any]]:
        return list(self.toDict().items())

    def get(self, key: str, default: Any = None) -> Any:
        return getattr(self, key) if key in self else default

    def __getitem__(self, key: str) -> Any:
        if key not in self:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        raise TypeError(f"a {type(self).__name__} is frozen: it has no place for {key!r}")

    def __delitem__(self, key: str) -> None:
        raise TypeError(f"a {type(self).__name__} is frozen: {key!r} stays")

    def __contains__(self, key: object) -> bool:
        return not str(key).startswith("_") and (key in type(self).model_fields or key in self.toDict())

    def __len__(self) -> int:
        return len(self.toDict())

    def __float__(self) -> float:
        raise TypeError(f"a {type(self).__name__} is no number; a metric makes one of it")

    def __reduce__(self) -> Any:
        return as_prediction, (_copied(self, type(self).__mro__[1]),)


def as_prediction(value: Any) -> Any:
    """Return a record as one that is a ``dspy.Prediction`` too, equal to it; anything else as it is."""
    if not isinstance(value, Record) or isinstance(value, dspy.Prediction):
        return value
    return _copied(value, _kind(type(value)))


def _copied(value: Any, kind: Any) -> Any:
    made = kind.__new__(kind)
    private = value.__pydantic_private__
    if issubclass(kind, dspy.Prediction):
        private = {**(private or {}), "_lm_usage": None, "_completions": None}
    elif private is not None:
        private = {name: each for name, each in private.items() if name in kind.__private_attributes__}
    fields = dict(value.__dict__)
    if "items" in fields:
        fields["items"] = _callable(value) if issubclass(kind, dspy.Prediction) else tuple(value.items)
    state = {
        "__dict__": fields,
        "__pydantic_fields_set__": set(value.__pydantic_fields_set__),
        "__pydantic_extra__": value.__pydantic_extra__,
        "__pydantic_private__": private,
    }
    made.__setstate__(state)
    return made


def _callable(record: Any) -> _Items:
    items = _Items(record.items)
    items.record = record
    return items


@cache
def _kind(record: type[Record]) -> Any:
    """Return the class of a record that is a prediction too, under the record's own name."""

    def same(one: Any, other: object) -> bool:
        return isinstance(other, record) and one.__dict__ == other.__dict__

    def body(namespace: dict[str, Any]) -> None:
        namespace |= {"__module__": record.__module__, "__qualname__": record.__qualname__}
        namespace |= {"__doc__": record.__doc__, "__eq__": same, "__hash__": record.__hash__}
        namespace |= {"_lm_usage": PrivateAttr(default=None), "_completions": PrivateAttr(default=None)}

    return new_class(record.__name__, (record, _Prediction), {}, body)
