"""What operations do with objects and arrays: walk along a path, flatten, unnest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from transforms.batch.several import MOST_RECORDS, TOO_MANY
from transforms.errors import Reject
from transforms.mapping.field import CATEGORY, Field
from transforms.mapping.operations import Flatten, Unnest
from transforms.mapping.paths import Steps, text_of

ABSENT: Any = object()
"""Stands for a field that a record does not have."""

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (dict, "an object"),
    (list, "an array"),
    (bool, "a boolean"),
    (str, "a text"),
)


def kind_of(value: Any) -> str:
    """What a value is, for messages that do not show it."""
    if value is None:
        return "null"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "a single value")


def record_of(value: Any) -> dict[str, Any]:
    """The fields of a value that is not a plain dict.

    Raises:
        Reject: It has none.
    """
    if isinstance(value, dict):
        return dict(value)
    raise Reject(f"the record is not an object but {kind_of(value)}", CATEGORY)


def taken(field: Field, to: str, name: str) -> Reject:
    """The rejection of a record that already has a field of the name that another is to get."""
    of = f"{name} to {to}" if name != to else to
    return Reject(f"{field.operation} {of}: the record already has a field {to}", CATEGORY)


def too_many(field: Field, count: int) -> Reject:
    """The rejection of a record that would become more records than one may."""
    return Reject(
        f"unnest {field.name}: {count:,} records or more of one; {MOST_RECORDS:,} are the most",
        TOO_MANY,
    )


def walk(steps: Steps, field: Field) -> Callable[[Any], Any]:
    """The function that gives what is at ``steps`` of a record: ``ABSENT`` if there is nothing.

    Null on the way gives null. It raises ``Reject`` where a step meets a value without parts.
    """

    def at(value: Any) -> Any:
        for number, step in enumerate(steps):
            if isinstance(step, str):
                if isinstance(value, dict):
                    value = value.get(step, ABSENT)
                else:
                    return _stopped(value, number, "an object")
            elif isinstance(value, list):
                value = value[step] if -len(value) <= step < len(value) else ABSENT
            else:
                return _stopped(value, number, "an array")
        return value

    def _stopped(value: Any, number: int, needed: str) -> Any:
        if value is None or value is ABSENT:
            return value
        raise field.failed(
            f"{text_of(steps[:number])} is {kind_of(value)}, and {text_of(steps)} needs {needed} there"
        )

    return at


def flattened(operation: Flatten, field: Field) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The function that gives a record with the parts of objects as fields.

    A null object and an empty one give no fields. It raises ``Reject`` for a field that is no
    object, and where a name is there already.
    """
    separator, depth = operation.separator, operation.depth

    def parts(prefix: str, value: dict[str, Any], level: int) -> Iterator[tuple[str, Any]]:
        for name, part in value.items():
            full = f"{prefix}{separator}{name}"
            if isinstance(part, dict) and (depth is None or level < depth):
                yield from parts(full, part, level + 1)
            else:
                yield full, part

    def put(result: dict[str, Any], pairs: Iterable[tuple[str, Any]]) -> None:
        for name, part in pairs:
            if name in result:
                raise taken(field, name, name)
            result[name] = part

    def one(record: dict[str, Any]) -> dict[str, Any]:
        value = record.pop(operation.field, ABSENT)  # type: ignore[arg-type]
        if isinstance(value, dict):
            put(record, parts(operation.field or "", value, 1))
        elif value is not ABSENT and value is not None:
            raise field.failed(f"it is {kind_of(value)}, not an object")
        return record

    def whole(record: dict[str, Any]) -> dict[str, Any]:
        if not any(isinstance(value, dict) for value in record.values()):
            return record
        result: dict[str, Any] = {}
        for name, value in record.items():
            if isinstance(value, dict):
                put(result, parts(name, value, 1))
            else:
                put(result, ((name, value),))
        return result

    return whole if operation.field is None else one


def unnested(
    operation: Unnest, field: Field
) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    """The function that gives one record for each element of an array; none for null.

    It raises ``Reject`` for what is no array, and where a name is there already.
    """
    into, index = operation.into, operation.index

    def records(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        array = record.pop(operation.field, None)
        if array is None:
            return
        if not isinstance(array, list):
            raise field.failed(f"it is {kind_of(array)}, not an array")
        if len(array) > MOST_RECORDS:
            raise too_many(field, len(array))
        for name in filter(None, (into, index)):
            if name in record:
                raise taken(field, name, name)
        for number, element in enumerate(array):
            child = record.copy()
            if index:
                child[index] = number
            if into:
                child[into] = element
            else:
                _merge(child, element, number)
            yield child

    def _merge(child: dict[str, Any], element: Any, number: int) -> None:
        if not isinstance(element, dict):
            raise field.failed(f"element {number} is {kind_of(element)}, not an object to merge")
        for name, part in element.items():
            if name in child:
                raise taken(field, name, name)
            child[name] = part

    return records
