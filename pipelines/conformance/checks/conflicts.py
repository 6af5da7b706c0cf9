"""Conflict rules: which record of a key wins, and that each record is counted for what it did."""

from __future__ import annotations

from typing import Any

from pipelines.conformance.check import Check, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of, outcomes
from transforms.parse.json_text import decode_json

SCHEMA = {
    "properties": {
        "id": {"type": "integer"},
        "v": {"type": "string"},
        "w": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "n": {"type": "number"},
    },
    "required": ["id"],
}


def _ignore(ground: Ground, trial: Trial) -> None:
    sink = ground.sink("conflicts_ignore", key=["id"], schema=SCHEMA)
    committed(sink, [batch_of(sink, [{"id": 1, "v": "old"}])])
    more = [{"id": 1, "v": "new"}, {"id": 2, "v": "first"}, {"id": 2, "v": "second"}]
    settled = committed(sink, [batch_of(sink, more, partition="q")])
    trial.equal("outcomes", outcomes(settled), {"read": 3, "inserted": 1, "duplicates": 2})
    trial.equal("rows", ground.rows("conflicts_ignore", "id", "v"), [(1, "old"), (2, "first")])


def _update(ground: Ground, trial: Trial) -> None:
    sink = ground.sink("conflicts_update", key=["id"], schema=SCHEMA, on_conflict="update")
    committed(sink, [batch_of(sink, [{"id": 1, "v": "old", "w": "kept"}])])
    more: list[dict[str, Any]] = [{"id": 1, "v": "new"}, {"id": 2, "v": "a"}, {"id": 2, "v": "b"}]
    more += [{"id": 3, "v": "x"}, {"id": 3, "v": None}]
    settled = committed(sink, [batch_of(sink, more, partition="q")])
    sums = outcomes(settled)
    trial.equal("records read, and rows inserted", (sums["read"], sums["inserted"]), (5, 2))
    trial.equal("every record has one outcome", settled[0].counts.conserved, True)
    rows = ground.rows("conflicts_update", "id", "v", "w")
    trial.equal("rows", rows, [(1, "new", "kept"), (2, "b", None), (3, None, None)])


def _newest(ground: Ground, trial: Trial) -> None:
    table = "conflicts_newest"
    sink = ground.sink(table, key=["id"], schema=SCHEMA, on_conflict="newest:at")
    at = "2026-03-01T12:00:00.000001Z"
    committed(sink, [batch_of(sink, [{"id": n, "v": "old", "at": at} for n in range(5)])])
    later = {
        0: "2026-03-01T12:00:00.000002Z",
        1: "2026-03-01T12:00:00Z",
        2: "2026-03-01T13:00:00+02:00",  # earlier, although its text is later
        3: "2026-03-01T11:00:01-02:00",  # later, although its text is earlier
        4: "2026-03-01T14:00:00.000001+02:00",  # the same
    }
    more = [{"id": number, "v": "new", "at": text} for number, text in later.items()]
    settled = committed(sink, [batch_of(sink, more, partition="q")])
    won = {int(number) for number, value in ground.rows(table, "id", "v") if value == "new"}
    trial.equal("keys whose record is newer", won, {0, 3})
    trial.equal("outcomes", outcomes(settled), {"read": 5, "updated": 2, "duplicates": 3})


def _newest_number(ground: Ground, trial: Trial) -> None:
    table = "conflicts_newest_number"
    sink = ground.sink(table, key=["id"], schema=SCHEMA, on_conflict="newest:n")
    pairs = ["9 10", "2.5 2.25", "9007199254740992 9007199254740993", "-2 -10", "0.1 0.10"]
    numbers = [tuple(map(decode_json, map(str.encode, pair.split()))) for pair in pairs]
    first = [{"id": place, "v": "old", "n": low} for place, (low, _) in enumerate(numbers)]
    then = [{"id": place, "v": "new", "n": high} for place, (_, high) in enumerate(numbers)]
    committed(sink, [batch_of(sink, first)])
    settled = committed(sink, [batch_of(sink, then, partition="q")])
    won = {int(number) for number, value in ground.rows(table, "id", "v") if value == "new"}
    trial.equal("keys whose number is larger", won, {0, 2})
    trial.equal("outcomes", outcomes(settled), {"read": 5, "updated": 2, "duplicates": 3})


def _within(ground: Ground, trial: Trial) -> None:
    """Several records of one key in one commit, in every order."""
    hours = [2, 3, 1]
    for rule, winner in (("ignore", 2), ("update", 1), ("newest:at", 3)):
        table = f"conflicts_within_{rule[:6]}"
        sink = ground.sink(table, key=["id"], schema=SCHEMA, on_conflict=rule)
        records = [
            {"id": key, "v": str(hour), "at": f"2026-03-01T0{hour}:00:00Z"}
            for hour in hours
            for key in range(40)
        ]
        (settled,) = committed(sink, [batch_of(sink, records)])
        values = {value for _, value in ground.rows(table, "id", "v")}
        trial.equal(f"the values of all keys by {rule}", values, {str(winner)})
        trial.equal(f"rows by {rule}", ground.number(table), 40)
        trial.equal(f"outcomes by {rule} add up", settled.counts.conserved, True)
        trial.equal(f"rows that {rule} counts as inserted", settled.counts.inserted, 40)


CHECKS = (
    Check("conflicts.ignore", "ignore keeps the row of a key, and counts duplicates", _ignore),
    Check("conflicts.update", "update changes the fields that a record has, no others", _update),
    Check(
        "conflicts.newest",
        "newest:FIELD compares instants to the microsecond, whatever their offset",
        _newest,
    ),
    Check(
        "conflicts.newest_number",
        "newest:FIELD compares numbers exactly, not as text",
        _newest_number,
    ),
    Check("conflicts.within", "the same rules hold for equal keys of one commit", _within),
)
