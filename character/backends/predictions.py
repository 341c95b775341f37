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

    @classmethod
    def of(cls, record: Any) -> _Items:
        """Return them as they are now; a copy of a record may have others."""
        items = cls(record.__dict__["items"])
        items.record = record
        return items

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

    def get_lm_usage(self) -> Any:
        return getattr(self, "_lm_usage", None)

    def __reduce__(self) -> Any:
        return _made, (type(self).__mro__[1], self.__getstate__())


def as_prediction(value: Any) -> Any:
    """Return a record as one that is a ``dspy.Prediction`` too, equal to it; anything else as it is."""
    if not isinstance(value, Record) or isinstance(value, dspy.Prediction):
        return value
    private = {**(value.__pydantic_private__ or {}), "_lm_usage": None, "_completions": None}
    return _made(type(value), {**value.__getstate__(), "__pydantic_private__": private})


def prediction_class(record: type[Record]) -> Any:
    """Return the class of a record that is a ``dspy.Prediction`` too."""
    return record if issubclass(record, dspy.Prediction) else _kind(record)


def _made(record: type[Record], state: dict[str, Any]) -> Any:
    made = object.__new__(_kind(record))
    made.__setstate__({**state, "__dict__": dict(state["__dict__"])})
    return made


@cache
def _kind(record: type[Record]) -> Any:
    """Return the class of a record that is a prediction too, under the record's own name."""

    def same(one: Any, other: object) -> bool:
        return isinstance(other, record) and one.__dict__ == other.__dict__

    def body(namespace: dict[str, Any]) -> None:
        namespace |= {"__module__": record.__module__, "__qualname__": record.__qualname__}
        namespace |= {"__doc__": record.__doc__, "__eq__": same, "__hash__": record.__hash__}
        namespace |= {"_lm_usage": PrivateAttr(default=None), "_completions": PrivateAttr(default=None)}

    kind: Any = new_class(record.__name__, (record, _Prediction), {}, body)
    if "items" in record.model_fields:
        kind.items = property(_Items.of)
    return kind
