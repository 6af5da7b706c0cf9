"""Types: a value comes to be exactly as it is, or its record is a dead letter; it is never changed."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import sqlalchemy as sa

from pipelines.conformance.check import Check, Failed, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of
from sinks.database.engine import transaction
from transforms.parse.allowed import BYTES

UTC = datetime.UTC
_EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=45))


@dataclass(frozen=True, slots=True)
class Kind:
    """Values of one type.

    Attributes:
        schema: What a JSON Schema says of them: the table is created by it.
        usual: Those that have to be stored.
        rare: Those that may be refused.
        read: What a value means, be it one of these or as a driver returns it.
    """

    schema: Mapping[str, Any]
    usual: Sequence[Any]
    rare: Sequence[Any]
    read: Callable[[Any], Any]


def _number(value: Any) -> Decimal:
    return Decimal(str(int(value)) if isinstance(value, bool) else str(value))


def _instant(value: Any) -> datetime.datetime:
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value)
    at: datetime.datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
    return at.astimezone(UTC)


def _date(value: Any) -> datetime.date:
    if isinstance(value, str):
        return datetime.date.fromisoformat(value[:10])
    return value.date() if isinstance(value, datetime.datetime) else value


def _time(value: Any) -> datetime.time:
    if isinstance(value, datetime.timedelta):  # of MySQL's drivers
        return (datetime.datetime.min + value).time()
    return datetime.time.fromisoformat(value) if isinstance(value, str) else value


def _uuid(value: Any) -> uuid.UUID:
    if isinstance(value, bytes | memoryview):
        return uuid.UUID(bytes=bytes(value))
    return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value).strip())


def _json(value: Any) -> Any:
    return json.loads(value, parse_float=Decimal) if isinstance(value, str | bytes) else value


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _bytes(value: Any) -> bytes:
    return value.encode("latin-1") if isinstance(value, str) else bytes(value)


KINDS: Mapping[str, Kind] = {
    "text": Kind(
        {"type": "string"},
        [
            "",
            "a",
            " both ends ",
            "tab\tline\nreturn\r",
            "Zürich ß İ",
            "Ω≈ç√",
            "𝄞🙂",
            "e\u0301 \u00e9",
            "'; DROP TABLE x; --",
            '"',
            "\\",
            "\\N",
            "\\x41",
            "%s {} $1 ?",
            "NULL",
            "x" * 100000,
        ],
        ["a\x00b", "\ud800", "\ufffe"],
        _text,
    ),
    "integer": Kind(
        {"type": "integer"},
        [0, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63)],
        [2**63, -(2**63) - 1, 10**30, 1.5, Decimal("2.0"), "7"],
        _number,
    ),
    "numeric": Kind(
        {"type": "number"},
        [
            0,
            -1,
            0.1,
            Decimal("0.1"),
            Decimal("-12345678901234567.89"),
            Decimal("0.0000000001"),
            2**63,
            1000000000000000.0,
            Decimal("99999999999999999999.99"),
        ],
        [
            Decimal("1e-30"),
            Decimal("1." + "3" * 40),
            Decimal(10) ** 60 + 1,
            1e300,
            5e-324,
            Decimal("0.12345678901"),
            Decimal("1e400"),
        ],
        _number,
    ),
    "boolean": Kind({"type": "boolean"}, [True, False], [], _number),
    "timestamp": Kind(
        {"type": "string", "format": "date-time"},
        [
            "2026-03-01T12:00:00Z",
            "2026-03-01T12:00:00.123456Z",
            "2026-03-01T12:00:00+02:00",
            "2026-03-01T00:30:00.000001-09:30",
            "1969-12-31T23:59:59.999999Z",
            "2026-03-29T02:30:00+01:00",
            "2026-10-25T00:59:59Z",
            "2026-10-25T01:00:00Z",
            datetime.datetime(2026, 3, 1, 12, 0, 0, 7, UTC),
            datetime.datetime(2026, 3, 1, 12, 0, 0, 999999, _EAST),
        ],
        [
            "0001-01-02T00:00:00Z",
            "9999-12-30T23:59:59.999999Z",
            "2026-03-01T12:00:00",
            "1500-01-01T00:00:00Z",
            "2026-03-01T12:00:00+15:59",
        ],
        _instant,
    ),
    "date": Kind(
        {"type": "string", "format": "date"},
        ["2026-03-01", "1970-01-01", "1969-12-31", "2024-02-29", datetime.date(2026, 12, 31)],
        ["0001-01-01", "1500-02-28", "9999-12-31"],
        _date,
    ),
    "time": Kind(
        {"type": "string", "format": "time"},
        ["00:00:00", "12:30:01", "23:59:59.999999", datetime.time(1, 2, 3, 4)],
        [],
        _time,
    ),
    "uuid": Kind(
        {"type": "string", "format": "uuid"},
        [
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "01234567-89ab-cdef-0123-456789abcdef",
            "AC0FD4B5-7C9F-4A0E-8A58-6D7A6A1B2C3D",
        ],
        [],
        _uuid,
    ),
    "json": Kind(
        {"type": "object"},
        [
            {},
            {"a": [1, None, True, "ü🙂", {"b": []}]},
            {"": ""},
            {"n": 2**53 + 1},
            {"d": Decimal("0.1")},
            {"quote": "'\"\\"},
        ],
        [{"nul": "\x00"}, {"long": Decimal("1." + "3" * 30)}],
        _json,
    ),
    "bytes": Kind(
        {"type": "string", "format": BYTES},
        [b"", bytes(range(256)), b"\x00", b"\\x41", b"x" * 100_000],
        [],
        _bytes,
    ),
}
"""The values of each type, by the name of its check."""


def _check(name: str, ground: Ground, trial: Trial) -> None:
    kind = KINDS[name]
    values = [*kind.usual, *kind.rare]
    table = f"types_{name}"
    properties = {"id": {"type": "integer"}, "value": {**kind.schema}}
    schema = {"type": "object", "properties": properties, "required": ["id"]}
    sink = ground.sink(table, key=["id"], schema=schema)
    records = [{"id": number, "value": value} for number, value in enumerate(values)]
    (settled,) = committed(sink, [batch_of(sink, records)])
    stored = _stored(ground, table, is_json=name == "json")
    dead = {failure.origin.offset: failure for failure in settled.dead}
    for number, value in enumerate(values):
        if number in dead:
            trial.true(f"the refused {_shown(value)} has no row", number not in stored)
            if number < len(kind.usual):
                raise Failed(f"{_shown(value)} is refused: {dead[number].message}")
        else:
            trial.true(f"{_shown(value)} has a row or is a dead letter", number in stored)
            trial.equal(f"{_shown(value)} read back", kind.read(stored[number]), kind.read(value))
    trial.equal("rows and dead letters", len(stored) + len(dead), len(values))


def _stored(ground: Ground, table: str, *, is_json: bool) -> dict[int, Any]:
    """What the driver returns for each value; JSON as its text, since drivers read it into floats."""
    if not is_json:
        return {int(number): value for number, value in ground.rows(table, "id", "value")}
    text = sa.cast(sa.column("value"), sa.Text)
    with transaction(ground.database, "read a table", write=False) as connection:
        query = (
            sa.select(text).add_columns(sa.column("id", sa.Integer)).select_from(sa.table(table))
        )
        return {number: value for value, number in connection.execute(query)}


def _null(ground: Ground, trial: Trial) -> None:
    properties = {name: dict(kind.schema) for name, kind in KINDS.items()}
    schema = {"properties": {"id": {"type": "integer"}, **properties}, "required": ["id"]}
    sink = ground.sink("types_null", key=["id"], schema=schema)
    records: list[dict[str, Any]] = [{"id": 1}, {"id": 2, **dict.fromkeys(KINDS)}]
    (settled,) = committed(sink, [batch_of(sink, records)])
    trial.equal("dead letters", [failure.message for failure in settled.dead], [])
    nothing = (None,) * len(KINDS)
    trial.equal(
        "fields that are absent, or null",
        ground.rows("types_null", "id", *KINDS),
        [(1, *nothing), (2, *nothing)],
    )


def _wrong(ground: Ground, trial: Trial) -> None:
    """Text that is no value of its type: refused, or kept as it is, where a column takes any."""
    for name in ("integer", "numeric", "timestamp", "date", "uuid"):
        kind = KINDS[name]
        properties = {"id": {"type": "integer"}, "value": dict(kind.schema)}
        table = f"types_wrong_{name}"
        sink = ground.sink(table, key=["id"], schema={"properties": properties})
        (settled,) = committed(sink, [batch_of(sink, [{"id": 1, "value": "12 apples"}])])
        stored = _stored(ground, table, is_json=False)
        trial.true(
            f"the text '12 apples' in a column of {name} is refused or kept, not {stored.get(1)!r}",
            (len(settled.dead), stored) in ((1, {}), (0, {1: "12 apples"})),
        )


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


CHECKS = (
    *(
        Check(
            f"types.{name}",
            f"a value of type {name} is stored exactly, or its record is a dead letter",
            partial(_check, name),
        )
        for name in KINDS
    ),
    Check("types.null", "an absent field and null are NULL, in columns of all types", _null),
    Check("types.wrong", "text that is no value of its column is refused, not guessed at", _wrong),
)
