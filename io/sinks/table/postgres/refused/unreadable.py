"""Values that a column's type cannot read, found among many rows by one query.

COPY stops at the first of them. So the rows are copied as texts, and the server is asked which of
these it can read (PostgreSQL 16 and later). What it says is what COPY would have said.
"""

# ruff: noqa: S608 - identifiers and texts are quoted

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg2

from sinks.table.postgres.lines import Lines
from sinks.table.postgres.refused.refusal import Refusal
from sinks.table.postgres.session import Session
from sinks.table.rows import Poison
from sinks.text.quoting import literal

_SINCE = 160_000  # pg_input_is_valid
_MOST_COLUMNS = 1_000
_SHOWN_BYTES = 100  # MAX_COPY_DATA_DISPLAY (src/backend/commands/copyfromparse.c)

# The language of the server may have other words, but not other marks around them.
_CONTEXT = re.compile(r'COPY .*?, (\w+) \d+, (\w+) .*?: ".*"', re.DOTALL)

_TYPES = (
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typtype = 'd', "
    "current_setting('server_encoding') = 'UTF8' "
    "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
    "WHERE a.attrelid = to_regclass({table}) AND a.attnum > 0 AND NOT a.attisdropped"
)


def copy(
    session: Session, table: str, lines: Lines, poison: list[Poison], error: psycopg2.Error
) -> set[int]:
    """COPY rows of which many are refused into a temporary table.

    Args:
        session: In the transaction of the commit.
        table: Its quoted name.
        lines: The rows, with their numbers, as ``refusals`` wants them.
        poison: Gets the rows that are refused.
        error: What COPY has said of one of them.

    Returns:
        The positions of the rows that are refused.

    Raises:
        psycopg2.Error: No row is to blame.
    """
    gone = set()
    for position, refusal in refusals(session, table, lines, error).items():
        bad = refusal.poison(lines.indices[position])
        if bad is not None:
            poison.append(bad)
            gone.add(position)
    rest = [position for position in range(len(lines.indices)) if position not in gone]
    if rest:
        again = session.copy(table, lines.without(gone), poison)
        gone.update(rest[position] for position in again)
    return gone


def refusals(
    session: Session, table: str, lines: Lines, error: psycopg2.Error
) -> dict[int, Refusal]:
    """What COPY says of each row that it refuses, by the row's position in ``lines``.

    A row that is left out may be refused as well.

    Args:
        session: In the transaction of the commit.
        table: The quoted name of the temporary table that the rows are for.
        lines: The rows. The last of their columns but one has their numbers, which ascend by one.
        error: What COPY has said of one of them.

    Raises:
        psycopg2.Error: The transaction cannot go on.
    """
    words = _CONTEXT.fullmatch(error.diag.context or "")
    if session.server_version < _SINCE or words is None or len(lines.names) > _MOST_COLUMNS:
        return {}
    try:
        with session.savepoint("kinds"):
            types = session.query(_TYPES.format(table=literal(f"pg_temp.{table}")))
            readers = {name: (kind, domain) for name, kind, domain, utf8 in types if utf8}
            kinds = [readers[name] for name in lines.names[:-2] if name in readers]
            if len(kinds) + 2 < len(lines.names):
                return {}
            texts = [f"c{place}" for place in range(len(kinds))]
            name = f"sluice_texts_{len(kinds)}"
            columns = ", ".join(f"{text} text" for text in texts)
            session.execute(
                "SET LOCAL client_min_messages = warning; "  # "already exists, skipping"
                f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} "
                f"({columns}, number bigint, batch integer) ON COMMIT DELETE ROWS"
            )
        with session.savepoint("texts"):
            session.load(f"pg_temp.{name}", (*texts, "number", "batch"), lines.whole)
            rows = session.query(_statement(name, kinds))
            session.undo("texts")
    except psycopg2.Error as refused:
        if not session.undoes(refused):
            raise
        return {}
    return {
        int(position): Refusal(
            *(code, message, detail or "", hint or ""),
            f"COPY {table}, {words[1]} {position + 1}, {words[2]} {lines.names[place]}: "
            f'"{_shown(value)}"',
        )
        for position, place, value, message, detail, hint, code in rows
    }


def _statement(table: str, kinds: Sequence[tuple[str, bool]]) -> str:
    """Find the rows with a text that its type cannot read: the first of each row's, as COPY does.

    Args:
        table: Where the texts are.
        kinds: The type of each column, and whether it is a domain, which may refuse NULL too.
    """
    first, values, types = [], [], []
    for place, (kind, domain) in enumerate(kinds):
        if domain:  # what it says of NULL cannot be asked for
            first.append(f"WHEN c{place} IS NULL THEN -1")
        if kind != "text":
            first.append(f"WHEN NOT pg_input_is_valid(c{place}, {literal(kind)}) THEN {place}")
            values.append(f"WHEN {place} THEN c{place}")
            types.append(f"WHEN {place} THEN {literal(kind)}")
    if not values:
        return "SELECT WHERE false"
    return (
        "SELECT t.number - t.start, t.place, v.value, e.message, e.detail, e.hint, "
        "e.sql_error_code FROM (SELECT *, min(number) OVER () AS start, "
        f"CASE {' '.join(first)} END AS place FROM pg_temp.{table}) t "
        f"CROSS JOIN LATERAL (SELECT CASE t.place {' '.join(values)} END AS value, "
        f"CASE t.place {' '.join(types)} END AS type) v "
        "CROSS JOIN LATERAL pg_input_error_info(v.value, v.type) e WHERE t.place >= 0"
    )


def _shown(value: str) -> str:
    """A value as COPY shows it."""
    data = value.encode()
    if len(data) <= _SHOWN_BYTES:
        return value
    return data[:_SHOWN_BYTES].decode(errors="ignore") + "..."
