"""From a routes file to routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from transforms.errors import ConfigError
from transforms.mapping.mapping import Mapping as RecordMapping
from transforms.mapping.reading.document import Part
from transforms.parse.validate import load_schema
from transforms.route.conditions.condition import condition_of
from transforms.route.reading.quantities import bytes_of, seconds_of
from transforms.route.route import Route
from transforms.route.table_name import TableName
from transforms.route.table_template import TableTemplate, has_fields
from transforms.settle.bounds import Bounds

ROUTE_KEYS = (
    *("table", "name", "when", "tables", "pattern", "key", "on_conflict", "unknown_fields"),
    *("schema", "map", "batch_records", "batch_bytes", "batch_age", "sink"),
)
"""The keys of a route."""


def document_of(document: Part, folder: Path) -> tuple[list[Route], Route | None]:
    """The routes that a document describes, and the default; None if it is dead letters.

    Args:
        document: A mapping with ``routes`` and, perhaps, ``default``.
        folder: Has the schemas and mappings that are named by relative paths.

    Raises:
        ConfigError: It says where, what is wrong, and what to do.
    """
    if not isinstance(document.value, dict):
        raise document.refused(f"a routes file begins with 'routes:', got {document.kind}")
    _check_keys(document, ("routes", "default"), "a routes file")
    listed = document.value.get("routes")
    if listed is None or not isinstance(listed.value, list) or not listed.value:
        got = "nothing" if listed is None else listed.kind
        raise (listed or document).refused(
            f"routes is a list of routes, each on its line with '- table: …', got {got}"
        )
    routes: list[Route] = []
    names: dict[str, Part] = {}
    for part in listed.value:
        route = _route(part, folder)
        if route.name in names:
            raise part.refused(
                f"a second route is called {route.name}; give each a name: of its own", at="name"
            )
        names[route.name] = part
        routes.append(route)
    return routes, _default(document.value.get("default"), folder)


def _check_keys(part: Part, keys: Iterable[str], what: str) -> None:
    """Refuse a key that a part of a document does not have."""
    keys = tuple(keys)
    for name in part.value:
        if name not in keys:
            near = get_close_matches(name, keys, 1)
            hint = f"is {near[0]} meant?" if near else f"there are {', '.join(keys)}"
            raise part.refused(f"{what} has no {name}; {hint}", at=name)


def _default(part: Part | None, folder: Path) -> Route | None:
    if part is None or part.value == "dead":
        return None
    if not isinstance(part.value, dict):
        raise part.refused(f"default is dead, or a route without when, got {part.kind}")
    if "when" in part.value:
        raise part.refused("the default has no condition: it gets what no route gets", at="when")
    return _route(part, folder)


def _route(part: Part, folder: Path) -> Route:
    if not isinstance(part.value, dict):
        raise part.refused(f"a route is a mapping, e.g. '- table: orders', got {part.kind}")
    _check_keys(part, ROUTE_KEYS, "a route")
    if "table" not in part.value:
        raise part.refused("table is missing: the table that the route sends records to")
    options: dict[str, Any] = {
        name: read(part.value[name], folder)
        for name, read in _READERS.items()
        if name in part.value
    }
    bounds = {name: options.pop(f"batch_{name}", None) for name in ("records", "bytes", "age")}
    mapping = options.pop("map", None)
    route = Route(**options, mapping=mapping, bounds=Bounds(**bounds))
    _check_table(part, route)
    _check_key(part, route)
    return route


def _check_table(part: Part, route: Route) -> None:
    """Refuse a name, or what is said of the names that it may become."""
    try:
        if has_fields(route.table):
            TableTemplate(route.table, route.tables, route.pattern)
        else:
            TableName.parse(route.table)
    except ConfigError as error:
        at = next((name for name in ("tables", "pattern") if name in part.value), "table")
        raise part.value[at].refused(str(error)) from None
    for name in ("tables", "pattern"):
        if name in part.value and not has_fields(route.table):
            raise part.refused(f"{name} is for a table with ${{field}} in its name", at=name)
    if "/" in route.name:
        raise part.refused(
            f"the name {route.name} has a /; give the route a name: without", at="name"
        )


def _check_key(part: Part, route: Route) -> None:
    rule, _, field = route.on_conflict.partition(":")
    if rule == "newest" and field in route.key:
        raise part.value["on_conflict"].refused(
            f"newest:{field} compares a key column; name another column"
        )


def _text(part: Part, folder: Path) -> str:
    if isinstance(part.value, list | dict) or part.value is None or not part.text:
        raise part.refused(f"a text is needed here, got {part.kind}")
    return part.text


def _texts(part: Part, folder: Path) -> tuple[str, ...]:
    parts: Sequence[Part] = part.value if isinstance(part.value, list) else [part]
    texts = tuple(_text(each, folder) for each in parts)
    if not texts:
        raise part.refused("name at least one")
    for number, text in enumerate(texts):
        if text in texts[:number]:
            raise parts[number].refused(f"{text} occurs twice")
    return texts


def _when(part: Part, folder: Path) -> Any:
    condition_of(part)
    return part.plain


def _on_conflict(part: Part, folder: Path) -> str:
    rule, _, field = part.text.partition(":")
    if part.text not in ("ignore", "update") and not (rule == "newest" and field):
        raise part.refused(f"on_conflict is ignore, update or newest:FIELD, got {part.kind}")
    return part.text


def _unknown_fields(part: Part, folder: Path) -> str:
    if part.value not in ("reject", "ignore", "payload"):
        raise part.refused(f"unknown_fields is reject, ignore or payload, got {part.kind}")
    return cast(str, part.value)


def _schema(part: Part, folder: Path) -> str:
    try:
        return load_schema(folder / _text(part, folder))
    except ConfigError as error:
        raise part.refused(str(error)) from None


def _map(part: Part, folder: Path) -> RecordMapping:
    if isinstance(part.value, list):
        return RecordMapping.from_part(part)
    path = folder / _text(part, folder)
    if not path.is_file():
        raise part.refused(f"there is no file {path}")
    return RecordMapping.load(path)


def _records(part: Part, folder: Path) -> int:
    if type(part.value) is not int or part.value < 1:
        raise part.refused(f"batch_records is a whole number from 1, got {part.kind}")
    return part.value


def _quantity(read: Callable[[str], Any]) -> Callable[[Part, Path], Any]:
    def quantity(part: Part, folder: Path) -> Any:
        try:
            return read(_text(part, folder))
        except ValueError as error:
            raise part.refused(str(error)) from None

    return quantity


_READERS: Mapping[str, Callable[[Part, Path], Any]] = {
    "table": _text,
    "name": _text,
    "when": _when,
    "tables": _texts,
    "pattern": _text,
    "key": _texts,
    "on_conflict": _on_conflict,
    "unknown_fields": _unknown_fields,
    "schema": _schema,
    "map": _map,
    "batch_records": _records,
    "batch_bytes": _quantity(bytes_of),
    "batch_age": _quantity(seconds_of),
    "sink": _text,
}
