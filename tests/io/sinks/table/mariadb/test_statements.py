"""The statements for rows of one shape."""

from __future__ import annotations

from sinks.table.config import OnConflict
from sinks.table.mariadb.statements import statements_of
from sinks.table.target import Column, Target
from transforms.route.table_name import TableName


def target(mode: str) -> Target:
    columns = tuple(Column(name, "int(11)") for name in ("k", "v", "at"))
    return Target(
        table=TableName("t", None),
        label="t",
        columns=columns,
        generated=frozenset(),
        key=("k",),
        origin_key=False,
        whole_payload=False,
        on_conflict=OnConflict.parse(mode),
        unknown_fields="reject",
    )


def test_what_is_there_stays() -> None:
    statements = statements_of(target("ignore"), ("k", "v"))
    assert statements.insert == "INSERT INTO `t` (`k`, `v`) VALUES "
    assert statements.conflict == " ON DUPLICATE KEY UPDATE `k` = `t`.`k`"
    assert statements.ignores


def test_an_update_sets_what_the_row_has() -> None:
    statements = statements_of(target("update"), ("v", "k"))
    assert statements.conflict == " ON DUPLICATE KEY UPDATE `v` = VALUES(`v`)"
    assert statements.where(["5", "1"]) == "`k` = 1"
    assert statements.changes(["5", "1"]) == "`v` = 5"


def test_a_row_that_has_only_its_key_changes_nothing() -> None:
    assert statements_of(target("update"), ("k",)).ignores


def test_the_compared_column_is_set_last() -> None:
    """MariaDB sets one column after another, and a comparison sees those that are set."""
    conflict = statements_of(target("newest:at"), ("k", "at", "v")).conflict
    assert conflict.index("`v` =") < conflict.index("`at` =")
    assert conflict.count("VALUES(`at`) > `t`.`at`") == 2


def test_a_row_without_the_compared_column_wins_only_over_null() -> None:
    conflict = statements_of(target("newest:at"), ("k", "v")).conflict
    assert "IF(`t`.`at` IS NULL, VALUES(`v`), `t`.`v`)" in conflict
