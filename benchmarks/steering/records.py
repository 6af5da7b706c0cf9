"""The records of the rewound topic, and the rows that they must leave."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

PARTITIONS = 4
KEYS_SHARE = 5
"""Each key has so many records, all in one partition, in order."""

FAULTS = {3: "dead", 37: "late", 71: "replayed"}
"""By the number of a record modulo 100."""

DDL = "CREATE TABLE orders (id bigint PRIMARY KEY, t bigint NOT NULL, v text NOT NULL, fault text)"
SELECT = "SELECT id, t, v, fault FROM orders ORDER BY id"

Row = tuple[int, int, str, str | None]


def fault_of(number: int) -> str | None:
    """Why a record fails; None if it does not."""
    return FAULTS.get(number % 100)


def value_of(number: int, records: int) -> dict[str, Any]:
    """A record. Those that fail have keys of their own, so that no order of attempts matters.

    ``t`` runs in another order than the records, so that each conflict mode leaves other rows.
    """
    fault = fault_of(number)
    key = number % (records // KEYS_SHARE) if fault is None else records + number
    return {"id": key, "t": number * 7_919 % 1_000_003, "v": f"v{number}", "fault": fault}


def messages(records: int) -> Iterator[tuple[None, bytes, int]]:
    """The messages, for ``KafkaBroker.produce``."""
    assert records % (100 * KEYS_SHARE) == 0, records  # all of a key are in one partition
    for number in range(records):
        yield None, json.dumps(value_of(number, records)).encode(), number % PARTITIONS


def expected(records: int, on_conflict: str, repaired: Collection[str]) -> list[Row]:
    """The rows that all records leave if they are read in order, and some faults are repaired."""
    rows: dict[int, Row] = {}
    for number in range(records):
        value = value_of(number, records)
        row: Row = (value["id"], value["t"], value["v"], value["fault"])
        if row[3] is not None and row[3] not in repaired:
            continue
        there = rows.get(row[0])
        if (
            there is None
            or on_conflict == "update"
            or (on_conflict != "ignore" and row[1] > there[1])
        ):
            rows[row[0]] = row
    return [rows[key] for key in sorted(rows)]


def failing(records: int, fault: str, first: int = 0) -> int:
    """How many records have a fault, at an offset of their partition from ``first`` on."""
    return sum(
        fault_of(number) == fault and number // PARTITIONS >= first for number in range(records)
    )
