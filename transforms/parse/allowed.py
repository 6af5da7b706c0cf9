"""What a JSON Schema allows for each property: JSON types, formats of strings, bounds of numbers.

References and combined subschemas are looked through: ``allOf`` and ``$ref`` allow what all of them
allow, ``anyOf`` and ``oneOf`` what one of them does. What is not a matter of types (``pattern``,
``not``, ``if``) is left to the validator.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

TYPES = frozenset({"null", "boolean", "number", "string", "array", "object"})
"""All types; ``integer`` is a part of ``number``."""

BYTES = "bytes"
"""The format, of our own, of a string that stands for bytes: validators pass over it."""

MAX_DEPTH = 200  # of subschemas within each other that are looked through

_TYPE_OF: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    list: "array",
    dict: "object",
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """The values that a property may have.

    Attributes:
        types: Names of JSON types.
        formats: The formats that a string may have; an empty one stands for any text.
        low: The lowest bound that is stated for a number, or None.
        high: The highest one.
    """

    types: frozenset[str] = TYPES
    formats: frozenset[str] = frozenset({""})
    low: float | None = None
    high: float | None = None

    @property
    def anything(self) -> bool:
        """Whether the schema does not restrict the type."""
        return self.types == TYPES

    def both(self, other: Allowed) -> Allowed:
        """What both allow."""
        types = self.types & other.types
        if {"integer", "number"} <= self.types ^ other.types:  # one has the part, one the whole
            types |= {"integer"}
        if self.formats == _ANY_TEXT:
            formats = other.formats
        elif other.formats == _ANY_TEXT:
            formats = self.formats
        else:
            formats = self.formats & other.formats or _ANY_TEXT
        low, high = _bounds((self.low, other.low)), _bounds((self.high, other.high))
        return Allowed(types, formats, max(low, default=None), min(high, default=None))

    def either(self, other: Allowed) -> Allowed:
        """What one of them allows."""
        texts = [each.formats for each in (self, other) if "string" in each.types]
        low, high = _bounds((self.low, other.low)), _bounds((self.high, other.high))
        return Allowed(
            _normal(self.types | other.types),
            frozenset().union(*texts) or _ANY_TEXT,
            min(low, default=None),
            max(high, default=None),
        )


_ANY_TEXT = frozenset({""})
ANYTHING = Allowed()
NOTHING = Allowed(frozenset())


@dataclass(slots=True)
class Properties:
    """The properties of an object.

    Attributes:
        allowed: By name, in the order of the schema.
        required: Names of those that every object has.
    """

    allowed: dict[str, Allowed] = field(default_factory=dict)
    required: frozenset[str] = frozenset()

    def add_all(self, other: Properties) -> None:
        """Combine with what applies as well."""
        for name, allowed in other.allowed.items():
            self.allowed[name] = self.allowed.get(name, ANYTHING).both(allowed)
        self.required |= other.required


@lru_cache(maxsize=1_000)
def properties_of(schema: str) -> Properties:
    """The properties that ``schema``, a valid JSON Schema as JSON text, names for the whole record.

    >>> properties_of('{"properties": {"n": {"type": ["integer", "null"]}}}').allowed["n"].types
    frozenset({'integer', 'null'})
    """
    document = json.loads(schema)
    return SchemaReader(document).properties(document)


def descriptions_of(schema: str) -> dict[str, str]:
    """What a valid JSON Schema says of the properties that it names itself, by name.

    >>> descriptions_of('{"properties": {"n": {"description": "A number."}}}')
    {'n': 'A number.'}
    """
    document = json.loads(schema)
    named = document.get("properties") if isinstance(document, dict) else None
    if not isinstance(named, dict):
        return {}
    texts = {
        name: rule.get("description") for name, rule in named.items() if isinstance(rule, dict)
    }
    return {name: text for name, text in texts.items() if isinstance(text, str) and text}


class SchemaReader:
    """Reads one schema; each of its nodes once, so that references may form any graph."""

    def __init__(self, document: Any) -> None:
        self._bases: dict[int, str] = {}
        self._resources: dict[str, Any] = {"": document}
        self._index(document)
        self._known: dict[int, Allowed] = {}
        self._objects: dict[int, Properties] = {}
        self._open: set[int] = set()
        self._open_objects: set[int] = set()
        self._depth = 0

    def allowed(self, node: Any) -> Allowed:
        """What the subschema ``node`` allows."""
        if not isinstance(node, dict):
            return NOTHING if node is False else ANYTHING
        name = id(node)
        if name in self._known:
            return self._known[name]
        if name in self._open or self._depth > MAX_DEPTH:
            return ANYTHING  # a reference to itself restricts nothing
        self._open.add(name)
        self._depth += 1
        result = _own(node)
        for part in self.parts(node):
            result = result.both(self.allowed(part))
        for branches in _branches(node):
            union = NOTHING
            for branch in branches:
                union = union.either(self.allowed(branch))
            result = result.both(union)
        self._depth -= 1
        self._open.remove(name)
        self._known[name] = result
        return result

    def properties(self, node: Any) -> Properties:
        """The properties that the subschema ``node`` names."""
        name = id(node)
        if name in self._objects:
            return self._objects[name]
        result = Properties()
        if not isinstance(node, dict) or name in self._open_objects or self._depth > MAX_DEPTH:
            return result
        self._open_objects.add(name)
        self._depth += 1
        named = node.get("properties")
        if isinstance(named, dict):
            result.allowed = {key: self.allowed(rule) for key, rule in named.items()}
        required = node.get("required")
        if isinstance(required, list):
            result.required = frozenset(key for key in required if isinstance(key, str))
        for part in self.parts(node):
            result.add_all(self.properties(part))
        for branches in _branches(node):
            result.add_all(_alternatives(map(self.properties, branches)))
        for part in _conditional(node):
            for key, allowed in self.properties(part).allowed.items():
                result.allowed.setdefault(key, allowed)
        self._depth -= 1
        self._open_objects.remove(name)
        self._objects[name] = result
        return result

    def parts(self, node: Mapping[str, Any]) -> Iterator[Any]:
        """The subschemas that apply together with ``node``."""
        for keyword in ("$ref", "$dynamicRef"):
            if isinstance(node.get(keyword), str):
                yield self._resolve(node[keyword], self._bases.get(id(node), ""))
        if isinstance(node.get("allOf"), list):
            yield from node["allOf"]

    def _index(self, document: Any) -> None:
        """Find every node's base URI, and what URIs with identifiers and anchors name."""
        waiting: list[tuple[Any, str]] = [(document, "")]
        while waiting:
            node, base = waiting.pop()
            if isinstance(node, list):
                waiting += [(part, base) for part in node]
            elif isinstance(node, dict):
                own = node.get("$id")
                if isinstance(own, str):
                    base = urljoin(base, own)
                    self._resources.setdefault(base.removesuffix("#"), node)
                self._bases[id(node)] = base
                for keyword in ("$anchor", "$dynamicAnchor"):
                    if isinstance(node.get(keyword), str):
                        self._resources.setdefault(f"{urldefrag(base).url}#{node[keyword]}", node)
                waiting += [(part, base) for part in node.values()]

    def _resolve(self, reference: str, base: str) -> Any:
        """What ``reference`` points at: a JSON pointer, an anchor or an identifier; or None."""
        uri = urljoin(base, reference) if base else reference
        address, fragment = urldefrag(uri)
        if fragment and not fragment.startswith("/"):
            return self._resources.get(uri)
        node = self._resources.get(address)
        for step in unquote(fragment).split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict):
                node = node.get(key)
            elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
                node = node[int(key)]
            else:
                return None
        return node


def _own(node: Mapping[str, Any]) -> Allowed:
    """What the keywords of ``node`` itself allow."""
    declared = node.get("type")
    types = TYPES
    if isinstance(declared, (str, list)):
        types = _normal({declared} if isinstance(declared, str) else map(str, declared))
    kind = node.get("format")
    formats = frozenset({kind}) if isinstance(kind, str) else _ANY_TEXT
    low = _bounds(node.get(name) for name in ("minimum", "exclusiveMinimum"))
    high = _bounds(node.get(name) for name in ("maximum", "exclusiveMaximum"))
    own = Allowed(types, formats, max(low, default=None), min(high, default=None))
    values = [node["const"]] if "const" in node else node.get("enum")
    if not isinstance(values, list):
        return own
    numbers = _bounds(values)
    listed = _normal(_TYPE_OF[type(value)] for value in values)
    return own.both(
        Allowed(listed, _ANY_TEXT, min(numbers, default=None), max(numbers, default=None))
    )


def _normal(types: Iterable[str]) -> frozenset[str]:
    """``types`` without ``integer`` where any number is allowed."""
    named = frozenset(types)
    return named - {"integer"} if "number" in named else named


def _bounds(values: Iterable[Any]) -> list[float]:
    return [value for value in values if type(value) in (int, float)]


def _branches(node: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    """The lists of subschemas of which one applies."""
    for keyword in ("anyOf", "oneOf"):
        if isinstance(node.get(keyword), list) and node[keyword]:
            yield node[keyword]


def _conditional(node: Mapping[str, Any]) -> Iterator[Any]:
    """The subschemas that apply to some objects."""
    for keyword in ("then", "else"):
        if keyword in node:
            yield node[keyword]
    if isinstance(node.get("dependentSchemas"), dict):
        yield from node["dependentSchemas"].values()


def _alternatives(branches: Iterable[Properties]) -> Properties:
    """The properties of objects of which each is like one of ``branches``.

    A property of which only some branches speak has the types that these give it.
    """
    result = Properties()
    required: frozenset[str] | None = None
    for branch in branches:
        for name, allowed in branch.allowed.items():
            before = result.allowed.get(name)
            result.allowed[name] = allowed if before is None else before.either(allowed)
        required = branch.required if required is None else required & branch.required
    result.required = required or frozenset()
    return result
