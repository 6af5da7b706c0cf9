"""How much memory the values of an Avro schema take, so that a few bytes cannot fill it.

One stored byte may become a record with a hundred records in it. A cost counts the memory of the
values, roughly and rather too high, for each number, text or boolean that is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_VALUE = 40
_ITEM = 16
_KEY = 120
_RECORD = 184
_FIELD = 30


@dataclass(frozen=True, slots=True)
class Costs:
    """What elements of a schema take, in bytes of memory.

    Attributes:
        fixed: Of an element without items.
        item: Of what is repeated, for each value that is read.
    """

    fixed: int
    item: int


def costs_of(schema: Any) -> Costs:
    """The costs of a schema that fastavro has parsed."""
    measure = _Measure()
    fixed, _ = measure.of(schema)
    return Costs(fixed, measure.item)


class _Measure:
    """Measures types: the memory of a value, and how many values are read for it."""

    def __init__(self) -> None:
        self.item = _VALUE
        self._named: dict[str, tuple[int, int]] = {}
        self._open: set[str] = set()
        self._recursive: set[str] = set()

    def of(self, schema: Any) -> tuple[int, int]:
        if isinstance(schema, list):
            branches = [(memory, 1 + values) for memory, values in map(self.of, schema)]
            return max(branches, key=lambda each: each[0] / each[1])
        if isinstance(schema, str):
            if schema in self._open:
                self._recursive.add(schema)
            return self._named.get(schema) or ((0, 0) if schema == "null" else (_VALUE, 1))
        kind = schema["type"]
        if kind == "array":
            self._repeat(self.of(schema["items"]), _ITEM, 0)
            return 2 * _VALUE, 1
        if kind == "map":
            self._repeat(self.of(schema["values"]), _KEY, 1)
            return 2 * _VALUE, 1
        if kind in ("record", "error"):
            return self._record(schema)
        return (_VALUE, 1) if isinstance(kind, str) else self.of(kind)

    def _record(self, schema: Any) -> tuple[int, int]:
        name, fields = schema["name"], schema["fields"]
        self._open.add(name)
        parts = [self.of(field["type"]) for field in fields]
        self._open.discard(name)
        memory = _RECORD + _FIELD * len(fields) + sum(part[0] for part in parts)
        size = self._named[name] = memory, sum(part[1] for part in parts)
        if name in self._recursive:
            self._repeat(size, 0, 0)
        return size

    def _repeat(self, item: tuple[int, int], memory: int, values: int) -> None:
        self.item = max(self.item, (item[0] + memory) // max(1, item[1] + values))
