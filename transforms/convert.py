"""Turn the text of CSV fields into what a JSON Schema says they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from transforms.numbers import exact

ColumnTypes = tuple[tuple[str, frozenset[str]], ...]
"""The JSON types that a schema allows in each column that it says anything about."""

_ABSENT = object()
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False}


def convert(value: Any, types: ColumnTypes) -> Any:
    """``value`` with its text converted, column by column; what is no text stays.

    * integer, number: ``int``, or an exact ``Decimal`` where there is a point or exponent.
    * boolean: ``true`` and ``false``, in any case.
    * string: the text as it is.
    * An empty field is None where null is allowed, empty text where only string is, and
      otherwise it is left out.
    * Text that fits no type stays text, for the schema to reject.
    """
    if not isinstance(value, Mapping):
        return value
    converted = dict(value)
    for column, allowed in types:
        text = converted.get(column)
        if type(text) is str:
            made = _convert_text(text, allowed)
            if made is _ABSENT:
                del converted[column]
            elif made is not text:
                converted[column] = made
    return converted


def _convert_text(text: str, allowed: frozenset[str]) -> Any:
    if not text:
        if "null" in allowed:
            return None
        return text if "string" in allowed else _ABSENT
    if "string" in allowed:
        return text
    if "integer" in allowed or "number" in allowed:
        number = number_of(text)
        if number is not None:
            return number
    if "boolean" in allowed:
        return _BOOLEANS.get(text.lower(), text)
    return text


def number_of(text: str) -> int | Decimal | None:
    """The number that ``text`` writes, or None; a leading ``+`` or zeros are allowed.

    >>> number_of("007"), number_of("-1.50"), number_of("1_000")
    (7, Decimal('-1.50'), None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return int(text) if text.lstrip("+-").isdecimal() else exact(text)
    except (ValueError, ArithmeticError):  # too many digits, too large an exponent
        return None


@lru_cache(maxsize=256)  # one entry a header
def column_types(schema: str, columns: tuple[str, ...]) -> ColumnTypes:
    """What ``schema`` allows in each of ``columns``; columns without a type are left out."""
    document = json.loads(schema)
    found = ((column, types_of(document, column)) for column in columns)
    return tuple((column, allowed) for column, allowed in found if allowed)


def types_of(document: Any, name: str) -> frozenset[str]:
    """The JSON types that a schema allows for the property ``name``; empty when unsaid.

    >>> sorted(types_of({"properties": {"n": {"type": ["integer", "null"]}}}, "n"))
    ['integer', 'null']
    """
    allowed: set[str] = set()
    for node in _properties(document, document, name, set()):
        allowed |= _types(document, node, set())
    return frozenset(allowed)


def _properties(document: Any, node: Any, name: str, followed: set[str]) -> Iterator[Any]:
    """Every subschema that ``node`` applies to the property ``name``."""
    if not isinstance(node, dict):
        return
    properties = node.get("properties")
    if isinstance(properties, dict) and name in properties:
        yield properties[name]
    for each in _applied(document, node, followed):
        yield from _properties(document, each, name, followed)


def _types(document: Any, node: Any, followed: set[str]) -> set[str]:
    """The types that ``node`` allows, as far as it says so."""
    if not isinstance(node, dict):
        return set()
    said = node.get("type")
    if said is not None:
        return {said} if isinstance(said, str) else set(said)
    values = [node["const"]] if "const" in node else node.get("enum", [])
    types = {_TYPE_OF.get(type(value), "object") for value in values}
    for each in _applied(document, node, followed):
        types |= _types(document, each, followed)
    return types


_TYPE_OF: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    list: "array",
}


def _applied(document: Any, node: dict[str, Any], followed: set[str]) -> Iterator[Any]:
    """The subschemas that ``node`` applies in place; each reference is followed once."""
    reference = node.get("$ref")
    if isinstance(reference, str) and reference not in followed:
        followed.add(reference)
        yield _resolve(document, reference)
    for keyword in ("allOf", "anyOf", "oneOf"):
        yield from node.get(keyword, ())


def _resolve(document: Any, reference: str) -> Any:
    """What a local JSON pointer (``#/$defs/id``) points at, or None."""
    if not reference.startswith("#"):
        return None
    node = document
    for step in reference[1:].split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict):
            node = node.get(key)
        elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        else:
            return None
    return node
