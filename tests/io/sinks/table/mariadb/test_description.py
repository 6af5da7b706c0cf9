"""What MariaDB says of a table, and the tables that are created."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.table.mariadb.description import (
    CHECKS_OF_MYSQL,
    create_statement,
    describe,
    quote,
    rules_of,
)
from sinks.table.schema import NewColumn
from sinks.table.target import Column
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError
from transforms.route.table_name import TableName

T = TableName("t", None)


@pytest.fixture
def connection(mariadb: Database) -> Iterator[sa.Connection]:
    with transaction(mariadb.database, "test") as connection:
        yield connection


def test_columns_say_what_decides_about_rows(mariadb: Database, connection: sa.Connection) -> None:
    mariadb.run(
        "CREATE TABLE t (id bigint AUTO_INCREMENT PRIMARY KEY, k varchar(20) NOT NULL UNIQUE, b boolean, "
        "n decimal(10,2) DEFAULT 1, j json, at timestamp NOT NULL DEFAULT current_timestamp(), "
        "double_n decimal(12,2) AS (n * 2), kind enum('A','b') NOT NULL, note text, CHECK (n > 0), "
        "UNIQUE (note(10)))",
        "CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW SET NEW.note = 'x'",
    )
    description = describe(connection, T)
    assert description is not None
    columns = {column.name: column for column in description.columns}
    assert columns["id"] == Column("id", "bigint(20)", has_default=True, not_null=True)
    assert columns["k"] == Column("k", "varchar(20)", not_null=True)
    assert columns["b"].type == "boolean"
    assert columns["n"] == Column("n", "decimal(10,2)", has_default=True)
    assert columns["j"] == Column("j", "json")
    assert columns["at"].has_default
    assert columns["double_n"].generated
    assert columns["kind"].type == "enum('A','b')"
    assert {frozenset({"id"}), frozenset({"k"})} <= set(description.unique)
    assert frozenset({"note"}) not in description.unique
    assert description.interplay.entangled
    rules = rules_of(connection, T)
    assert (rules.numbered, rules.watched, rules.checked) == ("id", True, True)
    assert len(rules.unique) == 3


def test_a_trigger_watches_if_it_sees_what_may_be_no_insert(
    mariadb: Database, connection: sa.Connection
) -> None:
    watching = {"BEFORE INSERT", "BEFORE UPDATE", "AFTER UPDATE"}
    for number, moment in enumerate(sorted({*watching, "AFTER INSERT", "AFTER DELETE"})):
        name = f"t{number}"
        mariadb.run(
            f"CREATE TABLE {name} (k int PRIMARY KEY)",
            f"CREATE TRIGGER {name}_tr {moment} ON {name} FOR EACH ROW SET @seen = 1",
        )
        assert rules_of(connection, TableName(name, None)).watched == (moment in watching), moment


def test_mysqls_query_for_checks_is_one_and_has_those_of_the_table(
    mariadb: Database, connection: sa.Connection
) -> None:
    mariadb.run(
        "CREATE TABLE t (k int PRIMARY KEY, CONSTRAINT c CHECK (k > 0))",
        "CREATE TABLE u (k int PRIMARY KEY, CONSTRAINT d CHECK (k > 1))",
    )
    place = {"schema": None, "name": "t"}
    assert connection.execute(CHECKS_OF_MYSQL, place).scalars().all() == ["`k` > 0"]


def test_a_table_that_is_not_there_has_no_description(connection: sa.Connection) -> None:
    assert describe(connection, T) is None


def test_a_table_that_is_created_is_described_as_it_was_asked_for(
    connection: sa.Connection,
) -> None:
    columns = [
        NewColumn("k", "text", nullable=False),
        NewColumn("at", "timestamp", comment="it's when"),
        NewColumn("n", "numeric"),
        NewColumn("u", "uuid"),
        NewColumn("j", "json"),
        NewColumn("ok", "boolean"),
        NewColumn("raw", "bytes"),
    ]
    statement = create_statement(T, columns, ["k"], is_mariadb=True)
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    description = describe(connection, T)
    assert description is not None
    assert {column.name: column.type for column in description.columns} == {
        "k": "varchar(255)",
        "at": "datetime(6)",
        "n": "decimal(65,30)",
        "u": "char(36)",
        "j": "json",
        "ok": "boolean",
        "raw": "longblob",
    }
    # Keys that differ by capitals or blanks are different rows.
    connection.exec_driver_sql("INSERT INTO t (k) VALUES ('a'), ('A'), ('a ')")


def test_a_key_of_many_texts_gets_the_room_that_there_is() -> None:
    columns = [NewColumn(name, "text") for name in "abcd"]
    assert "`a` VARCHAR(192)" in create_statement(T, columns, list("abcd"), is_mariadb=True)


def test_a_key_that_has_no_index_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match="MariaDB has no index over j, of the type json"):
        create_statement(T, [NewColumn("j", "json")], ["j"], is_mariadb=True)


def test_a_name_is_quoted() -> None:
    assert quote("a`b") == "`a``b`"
