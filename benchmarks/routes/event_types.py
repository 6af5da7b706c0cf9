"""The ten types of events: their tables, and the routes that lead to these and to objects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA_NAME = "app"
"""The schema of the tables, so that the label of a table is ``app.NAME`` and that of objects ``NAME``."""

TEXT, INTEGER, NUMBER, BOOLEAN = "text", "bigint", "numeric(12, 2)", "boolean"
INSTANT = "timestamptz"

_JSON_TYPES: Mapping[str, Mapping[str, Any]] = {
    TEXT: {"type": "string"},
    INTEGER: {"type": "integer"},
    NUMBER: {"type": "number"},
    BOOLEAN: {"type": "boolean"},
    INSTANT: {"type": "string", "format": "date-time"},
}


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of events.

    Attributes:
        name: The name of its table, of its route and of the folder of its objects.
        event: The field ``type`` of its records.
        columns: What its records have, once they are mapped: name and type of each column.
        key: What identifies a record in the table.
        when: The condition of its route.
        on_conflict: What a record does to a row of its key.
        unknown_fields: What becomes of fields that the table lacks.
        strict: Whether a JSON Schema refuses records with other fields or types.
        operations: Its mapping.
        to_table: Further operations, for the table alone.
        more: Further columns of the table, as SQL.
        constraints: Constraints of the table, as SQL.
    """

    name: str
    event: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    when: Mapping[str, Any] | str
    on_conflict: str = "ignore"
    unknown_fields: str = "reject"
    strict: bool = False
    operations: tuple[Mapping[str, Any], ...] = ()
    to_table: tuple[Mapping[str, Any], ...] = ()
    more: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What the database calls the table in its counts and jobs."""
        return f"{SCHEMA_NAME}.{self.name}"

    @property
    def compared(self) -> tuple[str, ...]:
        """The columns whose values follow from the record alone."""
        return tuple(self.columns)

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its mapped records."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": list(self.columns),
            "additionalProperties": not self.strict,
            "properties": {name: dict(_JSON_TYPES[sql]) for name, sql in self.columns.items()},
        }

    @property
    def ddl(self) -> str:
        """The statement that creates the table."""
        columns = [f'"{name}" {sql} NOT NULL' for name, sql in self.columns.items()]
        key = ", ".join(f'"{name}"' for name in self.key)
        lines = [*columns, *self.more, f"PRIMARY KEY ({key})", *self.constraints]
        return f"CREATE TABLE {self.label} ({', '.join(lines)})"


def _columns(**own: str) -> dict[str, str]:
    return {"type": TEXT, "n": INTEGER, **own}


EVENT_TYPES: tuple[EventType, ...] = (
    # Before the type of their parents, since the order of routes must not matter.
    EventType(
        "order_lines",
        "order.line",
        _columns(order_id=TEXT, line=INTEGER, sku=TEXT, quantity=INTEGER),
        key=("order_id", "line"),
        when={"field": "type", "is": "order.line"},
        strict=True,
        constraints=(f"FOREIGN KEY (order_id) REFERENCES {SCHEMA_NAME}.orders (order_id)",),
    ),
    EventType(
        "orders",
        "order.created",
        _columns(order_id=TEXT, customer=TEXT, total=NUMBER, placed_at=INSTANT),
        key=("order_id",),
        when={"event_type": "order.created"},
        strict=True,
    ),
    EventType(
        "payments",
        "payment.taken",
        _columns(payment_id=TEXT, amount=NUMBER, paid_at=INSTANT),
        key=("payment_id",),
        when={"field": "type", "in": ["payment.taken", "payment.repeated"]},
        operations=({"rename": {"id": "payment_id"}}, {"cast": {"amount": "decimal"}}),
    ),
    EventType(
        "refunds",
        "refund.made",
        _columns(refund_id=TEXT, amount=NUMBER, reason=TEXT),
        key=("refund_id",),
        when="type == 'refund.made'",
        on_conflict="update",
    ),
    EventType(
        "customers",
        "customer.changed",
        _columns(customer_id=TEXT, name=TEXT, email=TEXT),
        key=("customer_id",),
        when={
            "all": [{"field": "customer_id", "exists": True}, {"event_type": "customer.changed"}]
        },
        on_conflict="update",
    ),
    EventType(
        "stock",
        "stock.counted",
        _columns(sku=TEXT, warehouse=TEXT, version=INTEGER, on_hand=INTEGER),
        key=("sku", "warehouse"),
        when={"field": "type", "is": "stock.counted"},
        on_conflict="newest:version",
        constraints=("CHECK (on_hand >= 0)",),
    ),
    EventType(
        "page_views",
        "page.viewed",
        _columns(view_id=TEXT, url=TEXT),
        key=("view_id",),
        when={"event_type": "page.viewed"},
        unknown_fields="payload",
        more=("payload jsonb",),
    ),
    EventType(
        "logins",
        "login.tried",
        _columns(login_id=TEXT, succeeded=BOOLEAN),
        key=("login_id",),
        when={"field": "type", "is": "login.tried"},
        unknown_fields="ignore",
    ),
    EventType(
        "shipments",
        "shipment.moved",
        _columns(shipment_id=TEXT, status=TEXT, moved_at=INSTANT),
        key=("shipment_id",),
        when={"field": "type", "is": "shipment.moved"},
        on_conflict="newest:moved_at",
        strict=True,
    ),
    EventType(
        "reviews",
        "review.written",
        _columns(stars=INTEGER, body=TEXT),
        key=("origin", "part", "place"),
        when={"event_type": "review.written"},
        to_table=({"set": {"origin": "@source", "part": "@partition", "place": "@offset"}},),
        more=("origin text NOT NULL", "part text NOT NULL", "place bigint NOT NULL"),
    ),
)

BY_NAME = {kind.name: kind for kind in EVENT_TYPES}
BY_EVENT = {kind.event: kind for kind in EVENT_TYPES}


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where the ten routes lead.

    Attributes:
        tables: Whether there is a route to each table.
        objects: URI of a sink of objects to which there is a route of each type, or empty.
        on_conflict: What every route to a table does instead of what its type says.
        bounds: By the name of a type, further keys of its route to the table.
        reversed: Whether the routes stand in the opposite order.
    """

    tables: bool = True
    objects: str = ""
    on_conflict: str = ""
    bounds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reversed: bool = False


def write_routes(folder: Path, destinations: Destinations) -> Path:
    """Write a routes file, and the JSON Schemas beside it; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in EVENT_TYPES:
        (folder / f"{kind.name}.schema.json").write_text(json.dumps(kind.schema))
    path = folder / "routes.json"
    path.write_text(json.dumps({"routes": list(routes(destinations))}, indent=2))
    return path


def routes(destinations: Destinations) -> Sequence[Mapping[str, Any]]:
    """The routes, as a routes file has them."""
    all_routes = [
        *(table_route(kind, destinations) for kind in EVENT_TYPES if destinations.tables),
        *(object_route(kind, destinations) for kind in EVENT_TYPES if destinations.objects),
    ]
    return all_routes[::-1] if destinations.reversed else all_routes


def table_route(kind: EventType, destinations: Destinations) -> dict[str, Any]:
    """The route to the table of a type."""
    route: dict[str, Any] = {
        "table": kind.label,
        "name": kind.name,
        "when": kind.when,
        "key": list(kind.key),
        "on_conflict": destinations.on_conflict or kind.on_conflict,
        "unknown_fields": kind.unknown_fields,
        **destinations.bounds.get(kind.name, {}),
    }
    if kind.strict:
        route["schema"] = f"{kind.name}.schema.json"
    if operations := [*kind.operations, *kind.to_table]:
        route["map"] = operations
    return route


def object_route(kind: EventType, destinations: Destinations) -> dict[str, Any]:
    """The route to the objects of a type. Their columns are those of the JSON Schema."""
    route: dict[str, Any] = {
        "table": kind.name,
        "name": f"{kind.name} objects",
        "when": kind.when,
        "unknown_fields": "reject" if kind.strict else "ignore",
        "schema": f"{kind.name}.schema.json",
        "sink": destinations.objects,
    }
    if kind.operations:
        route["map"] = list(kind.operations)
    return route
