"""Keys: what the database takes for equal is one row, and no record is lost by it."""

from __future__ import annotations

from typing import Any

from pipelines.conformance.check import Check, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of, outcomes

ALIKE = ("a", "A", "á", "a\u0301", "a ", " a", "ß", "ss", "i", "İ", "\u0131", "1", "01", "1.0", "")
"""Texts that one collation or another takes for equal."""

LARGE = (2**63 - 1, 2**63 - 2, 2**53, 2**53 + 1, 0, -1)


def _collation(ground: Ground, trial: Trial) -> None:
    """Rows, counts and what is read back agree, whatever the database takes for equal."""
    table = "keys_collation"
    schema = {"properties": {"k": {"type": "string"}, "v": {"type": "integer"}}, "required": ["k"]}
    sink = ground.sink(table, key=["k"], schema=schema, on_conflict="update")
    records: list[dict[str, Any]] = [{"k": text, "v": place} for place, text in enumerate(ALIKE)]
    (first,) = committed(sink, [batch_of(sink, records)])
    trial.equal("each record has one outcome", first.counts.conserved, True)
    trial.equal("rows, as counted", ground.number(table), first.counts.inserted)
    again = [{"k": record["k"], "v": record["v"] + 100} for record in records]
    (second,) = committed(sink, [batch_of(sink, again, partition="q")])
    trial.equal("dead letters", (first.dead, second.dead), ((), ()))
    trial.equal("new rows for keys that are there", second.counts.inserted, 0)
    stored = dict(ground.rows(table, "k", "v"))
    trial.equal("rows", len(stored), first.counts.inserted)
    trial.true("every key that is stored was written", stored.keys() <= set(ALIKE))
    trial.true("every row has its last record", min(map(int, stored.values())) >= 100)
    if len(stored) == len(ALIKE):
        values = {text: place + 100 for place, text in enumerate(ALIKE)}
        trial.equal("rows of keys that are all different", stored, values)


def _numbers(ground: Ground, trial: Trial) -> None:
    schema = {"properties": {"k": {"type": "integer"}, "v": {"type": "string"}}, "required": ["k"]}
    sink = ground.sink("keys_numbers", key=["k"], schema=schema)
    settled = committed(sink, [batch_of(sink, [{"k": key, "v": str(key)} for key in LARGE])])
    trial.equal("outcomes", outcomes(settled), {"read": len(LARGE), "inserted": len(LARGE)})
    rows = {int(key): value for key, value in ground.rows("keys_numbers", "k", "v")}
    trial.equal("rows", rows, {key: str(key) for key in LARGE})


def _compound(ground: Ground, trial: Trial) -> None:
    table = "keys_compound"
    text, number = {"type": "string"}, {"type": "integer"}
    schema = {"properties": {"a": text, "n": number, "b": text, "v": number}}
    sink = ground.sink(table, key=["a", "n", "b"], schema=schema, on_conflict="update")
    keys = [("x", 1, "yz"), ("xy", 1, "z"), ("x", 2, "yz"), ("", 1, "x"), ("x", 1, "")]
    for turn in (1, 2):
        records = [{"a": a, "n": n, "b": b, "v": turn} for a, n, b in keys]
        committed(sink, [batch_of(sink, records, partition=str(turn))])
    rows = {(a, int(n), b): int(v) for a, n, b, v in ground.rows(table, "a", "n", "b", "v")}
    trial.equal("rows", rows, dict.fromkeys(keys, 2))


def _missing(ground: Ground, trial: Trial) -> None:
    schema = {"properties": {"k": {"type": "string"}, "v": {"type": "string"}}}
    sink = ground.sink("keys_missing", key=["k"], schema=schema)
    records: list[dict[str, Any]] = [{"v": "none"}, {"k": None, "v": "null"}, {"k": "k", "v": "v"}]
    settled = committed(sink, [batch_of(sink, records)])
    trial.equal("outcomes", outcomes(settled), {"read": 3, "inserted": 1, "dead": 2})
    trial.equal("rows", ground.rows("keys_missing", "k", "v"), [("k", "v")])


def _origin(ground: Ground, trial: Trial) -> None:
    """Without a key, where a record came from is its key."""
    schema = {"properties": {"v": {"type": "string"}}}
    sink = ground.sink("keys_origin", schema=schema)
    batches = [batch_of(sink, [{"v": "same"}] * 3, partition=name) for name in ("p", "P")]
    first = committed(sink, batches)
    again = committed(sink, batches)
    trial.equal("outcomes", outcomes(first), {"read": 6, "inserted": 6})
    trial.equal("outcomes of the same records once more", outcomes(again), {})
    trial.equal("rows", ground.number("keys_origin"), 6)


CHECKS = (
    Check("keys.collation", "keys that the database takes for equal are one row", _collation),
    Check("keys.numbers", "large numbers are different keys if they differ by one", _numbers),
    Check("keys.compound", "keys of several columns are compared column by column", _compound),
    Check("keys.missing", "a record without its key is a dead letter", _missing),
    Check("keys.origin", "without a key, each record of each partition is a row, once", _origin),
)
