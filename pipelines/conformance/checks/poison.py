"""Poison: a record that the database refuses is a dead letter, and those around it are written."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from pipelines.conformance.check import Check, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of, outcomes
from transforms.batch.retry_policy import FOREIGN_KEY

NUMBER = 300
"""How many records there are."""


def _table(name: str, *more: Any) -> sa.Table:
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("name", sa.String(50)),
        *more,
    )


def _one(ground: Ground, trial: Trial) -> None:
    _constraint(ground, trial, "poison_one", {137})


def _many(ground: Ground, trial: Trial) -> None:
    _constraint(ground, trial, "poison_many", set(range(0, NUMBER, 7)))


def _constraint(ground: Ground, trial: Trial, table: str, bad: set[int]) -> None:
    ground.create(_table(table, sa.CheckConstraint("n >= 0", name=f"{table}_n")))
    sink = ground.sink(table, key=["id"])
    records = [{"id": n, "n": -1 if n in bad else n, "name": f"r{n}"} for n in range(NUMBER)]
    settled = committed(sink, [batch_of(sink, records)])
    good = NUMBER - len(bad)
    trial.equal("outcomes", outcomes(settled), {"read": NUMBER, "inserted": good, "dead": len(bad)})
    dead = settled[0].dead
    trial.equal("dead letters", {failure.origin.offset for failure in dead}, bad)
    trial.equal("their category", {failure.category for failure in dead}, {"constraint"})
    stored = {int(number) for (number,) in ground.rows(table, "id")}
    trial.equal("rows", stored, set(range(NUMBER)) - bad)


def _not_null(ground: Ground, trial: Trial) -> None:
    table = "poison_not_null"
    ground.create(_table(table))
    sink = ground.sink(table, key=["id"])
    records: list[dict[str, Any]] = [{"id": n, "n": n} for n in range(20)]
    records[4] = {"id": 4, "n": None}
    records[9] = {"id": 9, "name": "without"}
    settled = committed(sink, [batch_of(sink, records)])
    trial.equal("outcomes", outcomes(settled), {"read": 20, "inserted": 18, "dead": 2})
    trial.equal("rows", ground.number(table), 18)


def _foreign_key(ground: Ground, trial: Trial) -> None:
    parent = _table("poison_parent")
    child = sa.Table(
        "poison_child",
        parent.metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("parent", sa.Integer, sa.ForeignKey("poison_parent.id")),
    )
    ground.create(parent, child)
    of_parent = ground.sink("poison_parent", key=["id"])
    committed(of_parent, [batch_of(of_parent, [{"id": 1, "n": 1}])])
    sink = ground.sink("poison_child", key=["id"])
    records = [{"id": n, "parent": 2 if n == 3 else 1} for n in range(6)]
    (settled,) = committed(sink, [batch_of(sink, records)])
    trial.equal("rows", [n for (n,) in ground.rows("poison_child", "id")], [0, 1, 2, 4, 5])
    failed = [*settled.dead, *settled.retry]
    trial.equal("failures", [failure.origin.offset for failure in failed], [3])
    trial.equal("their category", [failure.category for failure in failed], [FOREIGN_KEY])


def _second_key(ground: Ground, trial: Trial) -> None:
    """Another unique constraint than the key: the second record breaks it, not the first."""
    table = "poison_second_key"
    ground.create(_table(table, sa.UniqueConstraint("name", name=f"{table}_name")))
    sink = ground.sink(table, key=["id"], on_conflict="update")
    records = [{"id": n, "n": n, "name": f"r{n}"} for n in range(10)]
    records[6]["name"] = "r2"
    settled = committed(sink, [batch_of(sink, records)])
    trial.equal("outcomes", outcomes(settled), {"read": 10, "inserted": 9, "dead": 1})
    stored = [int(number) for (number,) in ground.rows(table, "id")]
    trial.equal("rows", stored, [0, 1, 2, 3, 4, 5, 7, 8, 9])


def _too_long(ground: Ground, trial: Trial) -> None:
    table = "poison_too_long"
    ground.create(_table(table))
    sink = ground.sink(table, key=["id"])
    records = [{"id": n, "n": n, "name": "x" * (60 if n == 2 else 5)} for n in range(5)]
    (settled,) = committed(sink, [batch_of(sink, records)])
    lengths = {int(number): len(name) for number, name in ground.rows(table, "id", "name")}
    whole = {0: 5, 1: 5, 2: 60, 3: 5, 4: 5}
    if settled.dead:
        del whole[2]
    trial.equal("the length of each text, which is refused or whole", lengths, whole)
    trial.equal("outcomes add up", settled.counts.conserved, True)


def _unknown_field(ground: Ground, trial: Trial) -> None:
    table = "poison_unknown_field"
    ground.create(_table(table))
    sink = ground.sink(table, key=["id"])
    records: list[dict[str, Any]] = [{"id": 1, "n": 1}, {"id": 2, "n": 2, "stranger": 1}]
    (settled,) = committed(sink, [batch_of(sink, records)])
    trial.equal("rows", ground.rows(table, "id"), [(1,)])
    trial.equal("categories", [each.category for each in settled.dead], ["unknown_field"])


CHECKS = (
    Check("poison.one", "one record that breaks a CHECK is dead, the others are rows", _one),
    Check("poison.many", "so it is if every seventh record breaks it", _many),
    Check("poison.not_null", "a record without a value that is NOT NULL is dead", _not_null),
    Check(
        "poison.foreign_key", "a record that refers to no row fails as such, alone", _foreign_key
    ),
    Check("poison.second_key", "a second unique constraint refuses the later record", _second_key),
    Check("poison.too_long", "text that is too long is refused or kept whole", _too_long),
    Check("poison.unknown_field", "a field without a column refuses its record", _unknown_field),
)
