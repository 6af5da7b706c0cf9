"""The types of columns that a JSON Schema asks for.

They are those of the SQL table that the same schema makes, as far as Parquet has them: see
``sinks.table.schema``. Objects and arrays whose parts the schema names are structs and lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import reduce
from typing import Any

from sinks.objects.encoding.column_types import (
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    JSON_TEXT,
    LONG_INTEGER,
    TEXT,
    TIMESTAMP,
    ColumnType,
    decimal_of,
    list_of,
    struct_of,
)
from transforms.errors import ConfigError
from transforms.parse.allowed import ANYTHING, Allowed, SchemaReader

MOST_LEVELS = 10
"""How deep structs and lists go; what is deeper is JSON text."""

MOST_FIELDS = 2_000
"""The most fields of all structs together; what comes after them is JSON text."""

MOST_SCALE = 18
"""The most digits after the point that ``multipleOf`` may ask for."""

_TEXTS = {"date-time": TIMESTAMP, "date": DATE}
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_OPEN = ("anyOf", "oneOf", "if", "then", "else", "dependentSchemas", "patternProperties", "not")

Nodes = Sequence[Mapping[str, Any]]


def types_of(schema: str, *, open_objects: bool, ignoring: bool) -> dict[str, ColumnType]:
    """The type of each property of the whole record, in the order of the schema.

    Args:
        schema: A valid JSON Schema as JSON text.
        open_objects: Whether an object that may have further fields than the schema names is a
            struct of those that it names; otherwise it is JSON text.
        ignoring: Whether a struct leaves out further fields; otherwise they refuse the record.

    Raises:
        ConfigError: The schema names no properties.
    """
    document = json.loads(schema)
    reader = SchemaReader(document)
    allowed = reader.properties(document).allowed
    if not allowed:
        raise ConfigError("the schema has no properties to make columns of; leave out the schema")
    types = _Types(reader, open_objects, ignoring)
    nodes = types.together([document])
    return {
        name: types.column_type(limits, _named(nodes, name), 0) for name, limits in allowed.items()
    }


class _Types:
    def __init__(self, reader: SchemaReader, open_objects: bool, ignoring: bool) -> None:
        self._reader = reader
        self._open_objects = open_objects
        self._ignoring = ignoring
        self._fields = 0
        self._within: set[int] = set()

    def column_type(self, allowed: Allowed, nodes: Nodes, level: int) -> ColumnType:
        """The type that takes every allowed value."""
        types = allowed.types - {"null"}
        if len(types) != 1 or level > MOST_LEVELS:
            return JSON_TEXT
        (only,) = types
        parts = self.together(nodes)
        if only == "string":
            kinds = {_TEXTS.get(kind, TEXT) for kind in allowed.formats}
            return kinds.pop() if len(kinds) == 1 else TEXT
        if only == "integer":
            bounds = (bound for bound in (allowed.low, allowed.high) if bound is not None)
            within = all(_LOWEST <= bound <= _HIGHEST for bound in bounds)
            return INTEGER if within else LONG_INTEGER
        if only == "number":
            scale = max(map(_scale, parts), default=0)
            return decimal_of(scale) if scale else DOUBLE
        if only == "boolean":
            return BOOLEAN
        nested = self._array(parts, level) if only == "array" else self._object(parts, level)
        return nested or JSON_TEXT

    def together(self, nodes: Nodes) -> list[Mapping[str, Any]]:
        """``nodes`` and what applies together with them; of ``anyOf`` null and one other, that."""
        seen: dict[int, Mapping[str, Any]] = {}
        waiting = list(nodes)
        while waiting:
            node = waiting.pop(0)
            if not isinstance(node, dict) or id(node) in seen:
                continue
            seen[id(node)] = node
            waiting += [*self._reader.parts(node), *self._nullable(node)]
        return list(seen.values())

    def _nullable(self, node: Mapping[str, Any]) -> Iterator[Any]:
        for keyword in ("anyOf", "oneOf"):
            branches = self._branches(node, keyword)
            if len(branches) == 1:
                yield branches[0]

    def _branches(self, node: Mapping[str, Any], keyword: str) -> list[Any]:
        """The branches that allow more than null."""
        branches = node.get(keyword)
        if not isinstance(branches, list):
            return []
        return [each for each in branches if self._reader.allowed(each).types - {"null"}]

    def _object(self, nodes: Nodes, level: int) -> ColumnType | None:
        if any(self._is_open(node) for node in nodes):
            return None
        closed = any(
            node.get(word) is False
            for node in nodes
            for word in ("additionalProperties", "unevaluatedProperties")
        )
        if not closed and not self._open_objects:
            return None
        names = list(dict.fromkeys(name for node in nodes for name in node.get("properties", ())))
        self._fields += len(names)
        own = {id(node) for node in nodes if "properties" in node}
        if not names or self._fields > MOST_FIELDS or own & self._within:
            return None  # no fields, too many, or an object within itself
        self._within |= own
        parts = [(name, self._part(_named(nodes, name), level)) for name in names]
        self._within -= own
        return struct_of(parts, ignoring=self._ignoring)

    def _is_open(self, node: Mapping[str, Any]) -> bool:
        """Whether the fields of an object are no matter of names alone."""
        for keyword in _OPEN:
            if keyword in ("anyOf", "oneOf") and len(self._branches(node, keyword)) <= 1:
                continue
            if keyword in node:
                return True
        return any(
            node.get(word, False) is not False
            for word in ("additionalProperties", "unevaluatedProperties")
        )

    def _array(self, nodes: Nodes, level: int) -> ColumnType | None:
        items = [node["items"] for node in nodes if isinstance(node.get("items"), dict)]
        if not items or any("prefixItems" in node or "contains" in node for node in nodes):
            return None
        return list_of(self._part(items, level))

    def _part(self, nodes: Nodes, level: int) -> ColumnType:
        allowed = reduce(Allowed.both, map(self._reader.allowed, nodes), ANYTHING)
        return self.column_type(allowed, nodes, level + 1)


def _named(nodes: Nodes, name: str) -> list[Mapping[str, Any]]:
    """What ``nodes`` say of the property ``name``."""
    properties = (node.get("properties") for node in nodes)
    return [
        part[name]
        for part in properties
        if isinstance(part, dict) and isinstance(part.get(name), dict)
    ]


def _scale(node: Mapping[str, Any]) -> int:
    """How many digits after the point ``multipleOf`` allows; 0 if it says nothing of them."""
    step = node.get("multipleOf")
    if type(step) is not float:
        return 0
    exponent = Decimal(repr(step)).normalize().as_tuple().exponent
    scale = -exponent if isinstance(exponent, int) else 0
    return scale if 0 < scale <= MOST_SCALE else 0
