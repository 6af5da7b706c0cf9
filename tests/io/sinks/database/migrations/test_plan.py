"""What is due is done in order, and as little as possible outside of a transaction."""

from __future__ import annotations

from sinks.database.migrations import plan
from sinks.database.tables import VERSION


def test_what_is_due_depends_on_the_version() -> None:
    assert [migration.version for migration in plan.due(0)] == list(range(1, VERSION + 1))
    assert [migration.version for migration in plan.due(1)] == list(range(2, VERSION + 1))
    assert plan.due(VERSION) == ()


def test_one_transaction_takes_everything_that_builds_no_index_beside() -> None:
    assert [beside for beside, _ in plan.groups(1, builds_beside=True)] == [False]
    assert [beside for beside, _ in plan.groups(0, builds_beside=False)] == [False]
    assert [beside for beside, _ in plan.groups(0, builds_beside=True)] == [False, True, False]


def test_an_act_knows_the_version_that_it_meets() -> None:
    versions = [act.version for act in plan.acts(0)]
    assert versions == sorted(versions)
    assert set(versions) == set(range(VERSION))
    last = [acts[0].version for _, acts in plan.groups(0, builds_beside=True)]
    assert last == [0, 0, 0], "version 1 is written after its index is built"
