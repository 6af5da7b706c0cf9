"""The statements of the PostgreSQL writer: from the staging table into the target."""

# ruff: noqa: S608 - identifiers are quoted, values bound or formatted as integers

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sinks.table.postgres.staging_table import StagingTable
from sinks.table.target import Target
from sinks.text.quoting import quote, quoted


def repeats_statement(target: Target, table: StagingTable, start: int) -> str:
    """Find the staged rows from ``start`` on whose key came before, with the key's previous row."""
    key = ", ".join(map(quote, target.key))
    before = f"lag({table.ordinal}) OVER (PARTITION BY {key} ORDER BY {table.ordinal})"
    return (
        f"SELECT * FROM (SELECT {table.ordinal}, {before} AS before FROM {table.quoted} "
        f"WHERE {table.ordinal} >= {start:d}) r WHERE before IS NOT NULL"
    )


def refusals_statement(
    target: Target, table: StagingTable, names: Sequence[str], span: tuple[int, int]
) -> str | None:
    """Find the staged rows that the table itself would refuse; None if it would refuse no row.

    Args:
        target: The table; its checks are known.
        table: Where the rows are staged.
        names: Their columns.
        span: The numbers of the first row and of the one after the last.
    """
    null = [c.name for c in target.columns if c.not_null and c.name in names]
    refused = [f"{quote(name)} IS NULL" for name in null]
    refused += [f"({condition}) IS FALSE" for condition in target.interplay.checks or ()]
    if not refused:
        return None
    return (
        f"SELECT {table.ordinal} FROM {table.rows} WHERE {table.ordinal} "
        f"BETWEEN {span[0]:d} AND {span[1] - 1:d} AND ({' OR '.join(refused)})"
    )


def supersede_statement(target: Target, table: StagingTable, start: int) -> str:
    """Delete the staged rows from ``start`` on that another row of their key replaces.

    The last row of a key wins; with ``newest`` the greatest, and the first among equals. The result
    has the numbers of the deleted rows.
    """
    key = ", ".join(map(quote, target.key))
    order = f"{table.ordinal} DESC"
    if target.on_conflict.mode == "newest":
        field = quote(target.on_conflict.field)
        # Among rows without a value, each wins over the one before.
        order = (
            f"{field} DESC NULLS LAST, "
            f"CASE WHEN {field} IS NULL THEN -{table.ordinal} ELSE {table.ordinal} END"
        )
    place = f"row_number() OVER (PARTITION BY {key} ORDER BY {order})"
    return (
        f"DELETE FROM {table.quoted} WHERE {table.ordinal} IN ("
        f"SELECT {table.ordinal} FROM (SELECT {table.ordinal}, {place} AS place "
        f"FROM {table.quoted} WHERE {table.ordinal} >= {start:d}) r WHERE place > 1) "
        f"RETURNING {table.ordinal}"
    )


def delete_statement(table: StagingTable, numbers: Iterable[int]) -> str:
    """Delete the staged rows with these numbers."""
    listed = ",".join(f"{number:d}" for number in numbers)
    return (
        f"DELETE FROM {table.quoted} USING unnest('{{{listed}}}'::bigint[]) AS gone (number) "
        f"WHERE {table.ordinal} = gone.number"
    )


def lock_statement(target: Target, table: StagingTable, start: int) -> str:
    """Lock the target's rows with the keys of the staged rows from ``start`` on, in one order.

    Otherwise two writers, each in the order of its own rows, would lock them in different orders,
    which ends in a deadlock.
    """
    key = ", ".join(map(quote, target.key))
    locked = ", ".join(f"sluice_target.{quote(name)}" for name in target.key)
    return (
        f"SELECT FROM {quoted(target.table)} AS sluice_target WHERE ({locked}) IN "
        f"(SELECT {key} FROM {table.quoted} WHERE {table.ordinal} >= {start:d}) "
        f"ORDER BY {locked} FOR NO KEY UPDATE OF sluice_target"
    )


def updates_first(target: Target, names: Sequence[str]) -> bool:
    """Whether rows with the columns ``names`` may be able to change a row, but not to make one.

    A field that a record does not have leaves its column alone. INSERT checks the row before it
    looks for an existing one (PostgreSQL manual, INSERT, "ON CONFLICT Clause"). So a row that lacks
    a column that the checks need has to be tried as an UPDATE first.
    """
    if target.on_conflict.mode == "ignore":
        return False
    required = {column.name for column in target.columns if column.required}
    return not (required | target.interplay.checked) - target.generated <= set(names)


def insert_statement(
    target: Target,
    table: StagingTable,
    names: tuple[str, ...],
    span: tuple[int, int],
    *,
    batch: int | None = None,
    effects: bool = False,
) -> str:
    """Insert staged rows into the target and count what came of them.

    Unless existing keys are ignored, no key may repeat in the rows.

    The result has rows of (batch, whether inserted, how many). A row that it does not count was
    a duplicate. With ``effects`` it has rows of (number of the row, whether inserted).

    Args:
        target: The table.
        table: Where the rows are staged.
        names: Their columns.
        span: The numbers of the first row and of the one after the last.
        batch: The batch of all of them, if they are of one batch.
        effects: Whether each row reports what it did. Where triggers may rewrite rows, ``span``
            then has one row.
    """
    where = f"{table.ordinal} BETWEEN {span[0]:d} AND {span[1] - 1:d}"
    label: str | None = None
    # Triggers may change the key of a row: what was inserted cannot be found by it.
    if target.interplay.rewriting or (batch is not None and not effects):
        label = f"{span[0]:d}::bigint" if effects else f"{batch or 0:d}"
    return _insert_statement(target, table, names, where, label, effects=effects)


def trial_statement(
    target: Target, table: StagingTable, names: tuple[str, ...], span: tuple[str, str], result: str
) -> str:
    """Insert staged rows into the target: ``insert_statement`` as PL/pgSQL runs it.

    Args:
        target: The table.
        table: Where the rows are staged.
        names: Their columns.
        span: The variables with the numbers of the first and of the last row.
        result: A variable that may be overwritten.
    """
    where = f"{table.ordinal} BETWEEN {span[0]} AND {span[1]}"
    if not updates_first(target, names):
        return _insert(target, table, names, f"{table.rows} WHERE {where}", returned=False)
    statement = _insert_statement(target, table, names, where, "0", effects=False)
    return f"{statement} INTO {result}"


def _insert_statement(
    target: Target,
    table: StagingTable,
    names: tuple[str, ...],
    where: str,
    label: str | None,
    *,
    effects: bool,
) -> str:
    if _action(target, names) == "NOTHING" and not updates_first(target, names):
        return _insert_new(target, table, names, where, label, effects=effects)
    return _upsert(target, table, names, where, label, effects=effects)


def whole_statement(
    target: Target, table: StagingTable, names: tuple[str, ...], batch: int | None
) -> str | None:
    """``insert_statement`` for all rows of a staging table that has no others and no numbers.

    None if it takes numbers to tell the rows apart, or to write them in order.

    Args:
        target: The table.
        table: Where the rows are staged.
        names: Their columns.
        batch: The batch of all of them; None where each row has that of its own.
    """
    interplay = target.interplay
    ordered = interplay.entangled or interplay.rewriting
    if ordered or table.packed or updates_first(target, names):
        return None
    if _action(target, names) != "NOTHING":
        if batch is None or target.partitioned:
            return None
        key = ", ".join(map(quote, target.key))
        insert = _insert(target, table, names, f"{table.quoted} ORDER BY {key}", ordered=True)
        return _INSERT_NEW.format(
            insert=insert, result=_result(f"{batch:d}", "w.sluice_fresh", "w", False)
        )
    # A temporary table is read in the order in which it was filled.
    insert = _insert(target, table, names, table.quoted, ordered=True)
    if batch is not None:
        return _INSERT_NEW.format(insert=insert, result=_result(f"{batch:d}", "true", "w", False))
    rows = _INSERTED_ROWS.format(
        key=", ".join(f"s.{quote(name)}" for name in target.key),
        label=table.batch,
        staged=table.quoted,
        same=_same(target, "s", "w"),
        where=f"{table.batch} IS NOT NULL",
        ordinal=table.batch,
    )
    return _INSERT_NEW.format(insert=insert, result=_result("shown", "true", rows, False))


_INSERT_NEW = "WITH w AS ({insert}) {result}"
# With ignore a key may repeat in the rows: the first of its rows was the one inserted.
_INSERTED_ROWS = (
    "(SELECT DISTINCT ON ({key}) s.{label} AS shown FROM w JOIN {staged} s ON {same} "
    "WHERE s.{where} ORDER BY {key}, s.{ordinal}) c"
)


def _insert_new(
    target: Target,
    table: StagingTable,
    names: Sequence[str],
    where: str,
    label: str | None,
    *,
    effects: bool,
) -> str:
    """Insert the rows whose key is not there.

    Args:
        target: The table.
        table: Where the rows are staged.
        names: Their columns.
        where: Which of them.
        label: What the result calls all rows; None to find each row's own batch or number.
        effects: Whether each row reports what it did.
    """
    insert = _insert(target, table, names, f"{table.rows} WHERE {where}")
    if label is not None:
        return _INSERT_NEW.format(insert=insert, result=_result(label, "true", "w", effects))
    rows = _INSERTED_ROWS.format(
        key=", ".join(f"s.{quote(name)}" for name in target.key),
        label=table.ordinal if effects else table.batch,
        staged=table.quoted,
        same=_same(target, "s", "w"),
        where=where,
        ordinal=table.ordinal,
    )
    return _INSERT_NEW.format(insert=insert, result=_result("shown", "true", rows, effects))


_STAGED_ROWS = (
    "SELECT {columns}, {ordinal}, {ordinal} AS sluice_number, {batch} AS sluice_in{there} "
    "FROM {staged} WHERE {where}"
)
# xmax is not shown in a partitioned table (0A000); the statement's snapshot tells, which other
# writers may outdate.
_THERE = ", EXISTS (SELECT FROM {target} t WHERE {same}) AS sluice_there"
_UPSERT = "WITH c AS MATERIALIZED ({rows}), w AS ({insert}) {result}"
_UPDATE_FIRST = (
    "WITH c AS MATERIALIZED ({rows}), u AS ({update}), w AS ({insert}) {updated} UNION ALL {result}"
)
_ROWS_NOT_THERE = "c WHERE NOT EXISTS (SELECT FROM {target} t WHERE {same})"


def _upsert(
    target: Target,
    table: StagingTable,
    names: Sequence[str],
    where: str,
    label: str | None,
    *,
    effects: bool,
) -> str:
    """Insert the rows whose key is not there, and change the rows of the other keys.

    Args:
        target: The table.
        table: Where the rows are staged.
        names: Their columns.
        where: Which of them.
        label: What the result calls all rows; None to find each row's own batch or number.
        effects: Whether each row reports what it did.
    """
    there = ""
    if target.partitioned:
        there = _THERE.format(target=quoted(target.table), same=_same(target, "t", table.quoted))
    rows = _STAGED_ROWS.format(
        columns=", ".join(map(quote, names)),
        ordinal=table.ordinal,
        batch=table.batch,
        there=there,
        staged=table.rows,
        where=where,
    )
    shown = "sluice_number" if effects else "sluice_in"
    if label is not None and not target.partitioned:
        result = _result(label, "w.sluice_fresh", "w", effects)
    else:
        fresh = "NOT c.sluice_there" if target.partitioned else "w.sluice_fresh"
        inserted = f"w JOIN c ON {_same(target, 'c', 'w')}"
        result = _result(f"c.{shown}", fresh, inserted, effects)
    if not updates_first(target, names):
        insert = _insert(target, table, names, "c")
        return _UPSERT.format(rows=rows, insert=insert, result=result)
    source = _ROWS_NOT_THERE.format(target=quoted(target.table), same=_same(target, "t", "c"))
    return _UPDATE_FIRST.format(
        rows=rows,
        update=_update(target, names),
        insert=_insert(target, table, names, source),
        updated=_result(label or shown, "false", "u", effects),
        result=result,
    )


def _result(label: str, fresh: str, source: str, effects: bool) -> str:
    """Report the rows of ``source``: each of them with ``effects``, otherwise their number."""
    if effects:
        return f"SELECT {label}, {fresh} FROM {source}"
    return f"SELECT {label}, {fresh}, count(*) FROM {source} GROUP BY 1, 2"


def _insert(
    target: Target,
    table: StagingTable,
    names: Sequence[str],
    source: str,
    *,
    ordered: bool = False,
    returned: bool = True,
) -> str:
    """The INSERT, which returns the key of each row and whether it is new, unless not ``returned``.

    The rows of ``source`` are put in order, unless they are ``ordered``.
    """
    columns = ", ".join(map(quote, names))
    key = ", ".join(map(quote, target.key))
    shown = ", ".join(f"sluice_target.{quote(name)}" for name in target.key)
    # Only with ignore may a key repeat. Where the order is free, all writers use the same: two
    # that lock the same rows in different orders would end in a deadlock.
    free = target.on_conflict.mode != "ignore" and not target.interplay.entangled
    order = "" if ordered else f" ORDER BY {key if free else table.ordinal}"
    # xmax is 0 in a row version that no update has made.
    fresh = "true" if target.partitioned else "sluice_target.xmax = 0"
    returning = f" RETURNING {shown}, {fresh} AS sluice_fresh" if returned else ""
    return (
        f"INSERT INTO {quoted(target.table)} AS sluice_target ({columns}) "
        f"SELECT {columns} FROM {source}{order} "
        f"ON CONFLICT ({key}) DO {_action(target, names)}{returning}"
    )


def _update(target: Target, names: Sequence[str]) -> str:
    """The UPDATE of existing rows, which returns the number and batch of each."""
    settable = [name for name in names if name not in target.key]
    changes = ", ".join(f"{quote(name)} = c.{quote(name)}" for name in settable)
    newest = _newest(target, names, "c")
    where = _same(target, "sluice_target", "c") + (f" AND ({newest})" if newest else "")
    if not settable:
        return "SELECT c.sluice_number, c.sluice_in FROM c WHERE false"
    return (
        f"UPDATE {quoted(target.table)} AS sluice_target SET {changes} FROM c WHERE {where} "
        "RETURNING c.sluice_number, c.sluice_in"
    )


def _action(target: Target, names: Sequence[str]) -> str:
    settable = [name for name in names if name not in target.key]
    if target.on_conflict.mode == "ignore" or not settable:
        return "NOTHING"
    changes = ", ".join(f"{quote(name)} = EXCLUDED.{quote(name)}" for name in settable)
    newest = _newest(target, names, "EXCLUDED")
    return f"UPDATE SET {changes}" + (f" WHERE {newest}" if newest else "")


def _newest(target: Target, names: Sequence[str], row: str) -> str:
    """The condition under which ``row`` wins over the existing row; empty if it always does."""
    if target.on_conflict.mode != "newest":
        return ""
    field = quote(target.on_conflict.field)
    older = f"sluice_target.{field} IS NULL"
    if target.on_conflict.field not in names:
        return older  # the column's default says nothing about the record
    return f"{older} OR sluice_target.{field} < {row}.{field}"


def _same(target: Target, one: str, other: str) -> str:
    return " AND ".join(f"{one}.{quote(name)} = {other}.{quote(name)}" for name in target.key)
