"""Rows that their table certainly refuses, looked for all at once when a statement has failed."""

# ruff: noqa: S608 - identifiers are quoted, conditions are those of the database's own catalogue

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from sinks.table.duckdb.description import Reference, Rules
from sinks.table.duckdb.statements import NUMBER, Statements
from sinks.table.target import Target
from sinks.text.quoting import quote, quoted
from transforms.route.table_name import TableName


def refused_rows(
    connection: sa.Connection, target: Target, rules: Rules, statements: Statements
) -> dict[int, BaseException]:
    """The numbers of rows that certainly break a rule by themselves, each with DuckDB's error.

    Args:
        connection: It can read the rows.
        target: The table.
        rules: Of the table.
        statements: Those for the rows.
    """
    import duckdb

    refused: dict[int, BaseException] = {}
    names = statements.names
    for condition, message in _conditions(target, rules, names):
        query = f"SELECT {NUMBER} FROM ({statements.values}) sluice_row WHERE {condition}"
        for (number,) in connection.exec_driver_sql(query):
            refused.setdefault(int(number), duckdb.ConstraintException(message))
    return refused


def _conditions(target: Target, rules: Rules, names: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Conditions under which a row is refused, each with what DuckDB says then."""
    label = target.table.name
    for column in target.columns:
        if column.not_null and column.name in names:
            yield (
                f"{quote(column.name)} IS NULL",
                f"Constraint Error: NOT NULL constraint failed: {label}.{column.name}",
            )
    for text, columns in rules.checks:
        if columns <= names:
            yield (
                f"NOT TRY({text})",
                f"Constraint Error: CHECK constraint failed on table {label} with expression CHECK({text})",
            )
    for reference in rules.references:
        if names.issuperset(reference.columns):
            yield _without_parent(target.table, reference)


def _without_parent(table: TableName, reference: Reference) -> tuple[str, str]:
    pairs = list(zip(reference.columns, reference.others, strict=True))
    whole = " AND ".join(f"{quote(own)} IS NOT NULL" for own in reference.columns)
    same = " AND ".join(
        f"sluice_parent.{quote(other)} = sluice_row.{quote(own)}" for own, other in pairs
    )
    parent = quoted(TableName(reference.table, table.schema))
    absent = f"NOT EXISTS (SELECT 1 FROM {parent} sluice_parent WHERE {same})"
    message = (
        "Constraint Error: Violates foreign key constraint because the key "
        f"({', '.join(reference.columns)}) does not exist in the table {reference.table}"
    )
    return f"{whole} AND {absent}", message
