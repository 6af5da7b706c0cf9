"""From records to rows: which fields become which columns, and which records cannot be rows.

Pure: the writers of all databases share it. In the common case, all records have the same fields
and every field has a column; no record is then touched more than once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sinks.table.target import PAYLOAD, Target
from transforms.batch.record import Failure, RecordBatch
from transforms.error_texts import message_of, stack_of
from transforms.errors import Reject
from transforms.parse.columns.columnar import Columnar, has_null, uniform
from transforms.parse.columns.columnar import picked as picked_cells
from transforms.refused import Refused
from transforms.steps.apply import failure_at

Shape = tuple[str, ...]
_SHAPES_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that cannot be written, and why.

    Attributes:
        index: The index of the record among those of the commit.
        category: ``unknown_field``, ``key``, ``data``, ``constraint``, ``trigger`` and so on.
        error: What was raised.
        message: One line.
        sqlstate: The database's code, if the database refused it.
        transient: Whether the database asks for another try.
    """

    index: int
    category: str
    error: BaseException
    message: str
    sqlstate: str | None = None
    transient: bool = False

    def failure_at(self, batch: RecordBatch, position: int, target: str | None) -> Failure:
        """The failure of the record at ``position`` of its batch, which was meant for ``target``."""
        return failure_at(
            *(batch, position, "write", type(self.error).__name__),
            Refused(self.category, self.message, stack_of(self.error)),
            sqlstate=self.sqlstate,
            transient=self.transient,
            target=target,
        )


@dataclass(slots=True)
class Rows:
    """What to write: dicts of column to value, and the record that each came from.

    Attributes:
        values: One for each row; a column that is absent takes its default.
        indices: The record of each row.
        origin: For a table keyed by origin, the cells of these columns of every record.
        columns: The cells of every field, if all rows are known to have the same fields.
        texts: The fields whose cells are texts of JSON, not values.
    """

    values: Sequence[Mapping[str, Any]]
    indices: Sequence[int]
    origin: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    columns: Mapping[str, Sequence[Any]] | None = None
    texts: frozenset[str] = frozenset()

    def cells(self, name: str) -> Sequence[Any]:
        """The values of one column; None where a row has no value."""
        if name in self.origin:
            column = self.origin[name]
            return column if len(column) == len(self.indices) else [column[i] for i in self.indices]
        if self.columns is not None and name in self.columns:
            return self.columns[name]
        return [row.get(name) for row in self.values]


@dataclass(frozen=True, slots=True)
class Block:
    """Rows with the same columns, column by column.

    Attributes:
        names: The columns.
        cells: The values of each column.
        indices: The record of each row.
        texts: The columns whose cells are texts of JSON, not values.
    """

    names: tuple[str, ...]
    cells: Sequence[Sequence[Any]]
    indices: Sequence[int]
    texts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to do with the records of one shape."""

    unknown: tuple[str, ...]
    generated: tuple[str, ...]
    missing_key: tuple[str, ...]


def rows_of(
    target: Target,
    records: Sequence[Mapping[str, Any]],
    origin: Mapping[str, Sequence[Any]],
) -> tuple[Rows, list[Poison]]:
    """The rows that ``records`` become, and the records that cannot be rows.

    Args:
        target: The table.
        records: Parsed records.
        origin: Cells of the origin, one for each record; empty where fields are the key.
    """
    columns, texts = _columns(target, records)
    shapes = set(map(tuple, records)) if columns is None else {tuple(columns)}
    plans = {shape: _plan(target, shape) for shape in shapes}
    troubled = any(plan.missing_key or plan.generated or plan.unknown for plan in plans.values())
    if target.whole_payload:
        rows, poison = _payload_rows(target, records)
    elif not troubled:
        rows, poison = Rows(records, range(len(records)), origin, columns, texts), []
    else:
        rows, poison = _sorted_out(target, records, plans)
    rows.origin = origin
    return _without_null_keys(target, rows, poison)


def _columns(
    target: Target, records: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Sequence[Any]] | None, frozenset[str]]:
    """The records' cells by field, if all have the same fields, and which of them are texts of JSON."""
    if target.whole_payload:
        return None, frozenset()
    if isinstance(records, Columnar) and records:
        types = {column.name: column.type for column in target.columns}
        # A table may have been altered since the records were read.
        if all(types.get(name) == kind for name, kind in records.written.items()):
            return records.columns, records.texts
    return uniform(records), frozenset()


def blocks_of(target: Target, rows: Rows) -> list[Block]:
    """``rows`` grouped by their columns where that matters, in order of first appearance.

    It matters when a column has a default, which a missing field takes and a NULL does not,
    and when an update must leave alone the columns of missing fields.
    """
    if not rows.indices:
        return []
    signatures = signatures_of(target, rows)
    if signatures is None:
        return [_whole(target, rows)]
    groups: dict[frozenset[str], list[int]] = {}
    for position, signature in enumerate(signatures):
        groups.setdefault(signature, []).append(position)
    return [_whole(target, picked(rows, positions)) for positions in groups.values()]


def runs_of(target: Target, rows: Rows) -> list[Block]:
    """Like ``blocks_of``, but keeps the order of the rows: a block for each run of equal columns."""
    if not rows.indices:
        return []
    signatures = signatures_of(target, rows)
    if signatures is None:
        return [_whole(target, rows)]
    runs: list[list[int]] = []
    for position, signature in enumerate(signatures):
        if not runs or signatures[position - 1] != signature:
            runs.append([])
        runs[-1].append(position)
    return [_whole(target, picked(rows, positions)) for positions in runs]


def signatures_of(target: Target, rows: Rows) -> list[frozenset[str]] | None:
    """The columns of each row, as far as they matter; None if they are the same for all rows."""
    if rows.columns is not None:
        return None
    # A set, not a list: thousands of live tuples would set the garbage collector off.
    distinct = set(map(tuple, rows.values))
    if len(distinct) < 2:
        return None
    relevant: Iterable[str] = target.defaults
    if target.on_conflict.mode != "ignore":
        relevant = [column.name for column in target.columns]
    signatures = {shape: frozenset(shape).intersection(relevant) for shape in distinct}
    if len(set(signatures.values())) == 1:
        return None
    return [signatures[tuple(row)] for row in rows.values]


def picked(rows: Rows, positions: Sequence[int]) -> Rows:
    """The rows at ``positions``, in that order."""
    values, columns = rows.values, rows.columns
    if isinstance(values, Columnar):
        values = values.picked(positions)
    else:
        values = [values[p] for p in positions]
    if columns is not None:
        columns = {name: picked_cells(cells, positions) for name, cells in columns.items()}
    indices = [rows.indices[p] for p in positions]
    return Rows(values, indices, rows.origin, columns, rows.texts)


def split(block: Block, start: int, end: int) -> Block:
    """The rows ``[start, end)`` of ``block``."""
    cells = [column[start:end] for column in block.cells]
    return Block(block.names, cells, block.indices[start:end], block.texts)


ENCODE_ERRORS = (ValueError, TypeError, ArithmeticError, RecursionError)
"""What encoding a value raises if the database cannot take it as it is."""


def without_refused(
    block: Block,
    encode: Callable[[str, Sequence[Any]], object],
    poison: list[Poison],
) -> Block:
    """``block`` without the rows that cannot be encoded.

    Args:
        block: The rows.
        encode: Takes the name of a column, and cells of it; raises one of ``ENCODE_ERRORS``.
        poison: Gets the rows that cannot be encoded; of each, the first such column is named.
    """
    good = []
    for position, index in enumerate(block.indices):
        for name, column in zip(block.names, block.cells, strict=True):
            try:
                encode(name, column[position : position + 1])
            except ENCODE_ERRORS as error:
                message = f"column {name}: {message_of(error)}"
                poison.append(Poison(index, "data", error, message))
                break
        else:
            good.append(position)
    return pick(block, good)


def pick(block: Block, positions: Sequence[int]) -> Block:
    """The rows of ``block`` at ``positions``, in that order."""
    cells = [[column[p] for p in positions] for column in block.cells]
    return Block(block.names, cells, [block.indices[p] for p in positions], block.texts)


def _whole(target: Target, rows: Rows) -> Block:
    if rows.columns is not None:
        present = set(rows.columns)
    else:
        present = set().union(*set(map(tuple, rows.values)))
    names = tuple(c.name for c in target.columns if c.name in present and c.name not in rows.origin)
    names += tuple(rows.origin)
    return Block(names, [rows.cells(name) for name in names], rows.indices, rows.texts)


_plans: dict[tuple[Target, Shape], _Plan] = {}


def _plan(target: Target, shape: Shape) -> _Plan:
    plan = _plans.get((target, shape))
    if plan is None:
        columns = {column.name for column in target.columns}
        if target.origin_key:
            columns -= set(target.key)
        plan = _Plan(
            unknown=tuple(n for n in shape if n not in columns and n not in target.generated),
            generated=tuple(n for n in shape if n in target.generated),
            missing_key=()
            if target.origin_key
            else tuple(name for name in target.key if name not in shape),
        )
        # Records may have any number of shapes, but the cache is bounded.
        if len(_plans) >= _SHAPES_KEPT:
            _plans.clear()
        _plans[target, shape] = plan
    return plan


def _payload_rows(
    target: Target, records: Sequence[Mapping[str, Any]]
) -> tuple[Rows, list[Poison]]:
    if target.origin_key:
        return Rows([{PAYLOAD: record} for record in records], range(len(records))), []
    values = []
    indices = []
    poison = []
    for index, record in enumerate(records):
        try:
            row = {name: record[name] for name in target.key}
        except KeyError:
            poison.append(_missing_key(index, [n for n in target.key if n not in record]))
            continue
        row[PAYLOAD] = record
        values.append(row)
        indices.append(index)
    return Rows(values, indices), poison


def _sorted_out(
    target: Target, records: Sequence[Mapping[str, Any]], plans: Mapping[Shape, _Plan]
) -> tuple[Rows, list[Poison]]:
    values: list[Mapping[str, Any]] = []
    indices: list[int] = []
    poison: list[Poison] = []
    for index, record in enumerate(records):
        plan = plans.get(tuple(record)) or _plan(target, tuple(record))
        extra = plan.unknown + plan.generated
        if plan.missing_key:
            poison.append(_missing_key(index, plan.missing_key))
        elif extra and _are_refused(target, record, plan):
            poison.append(_unknown_field(index, target, plan))
        else:
            indices.append(index)
            values.append(_without(record, extra, target) if extra else record)
    return Rows(values, indices), poison


def _are_refused(target: Target, record: Mapping[str, Any], plan: _Plan) -> bool:
    """Whether fields without a column refuse ``record``: null adds nothing to a table that evolves."""
    if target.unknown_fields != "reject":
        return False
    lost = plan.generated or any(record[name] is not None for name in plan.unknown)
    return bool(lost) or not target.evolves


def fields_without_column(target: Target, record: Mapping[str, Any]) -> tuple[str, ...]:
    """Fields of ``record`` that a further column could take: not null, in its order.

    None where it has others that only the database may fill: no column would help.
    """
    plan = _plan(target, tuple(record))
    if plan.generated:
        return ()
    return tuple(name for name in plan.unknown if record[name] is not None)


def _without(record: Mapping[str, Any], extra: Shape, target: Target) -> Mapping[str, Any]:
    row = {name: value for name, value in record.items() if name not in extra}
    if target.unknown_fields == "payload":
        rest = {name: record[name] for name in extra}
        own = row.get(PAYLOAD)
        row[PAYLOAD] = {**own, **rest} if isinstance(own, dict) else rest
    return row


def _without_null_keys(
    target: Target, rows: Rows, poison: list[Poison]
) -> tuple[Rows, list[Poison]]:
    if target.origin_key:
        return rows, poison
    null: dict[int, str] = {}
    for name in target.key:
        cells = rows.cells(name)
        if has_null(cells):
            null.update({p: name for p, value in enumerate(cells) if value is None})
    if not null:
        return rows, poison
    for position, name in null.items():
        error = Reject(f"key field {name} is null", "key")
        poison.append(Poison(rows.indices[position], "key", error, str(error)))
    return picked(rows, [p for p in range(len(rows.indices)) if p not in null]), poison


def _missing_key(index: int, names: Sequence[str]) -> Poison:
    error = Reject(f"key field {', '.join(names)} is missing", "key")
    return Poison(index, "key", error, str(error))


def _unknown_field(index: int, target: Target, plan: _Plan) -> Poison:
    if plan.unknown:
        shown = ", ".join(name[:100] for name in plan.unknown[:5])
        more = f" and {len(plan.unknown) - 5} more" if len(plan.unknown) > 5 else ""
        text = f"table {target.table} has no column for field {shown}{more}"
    else:
        text = f"column {', '.join(plan.generated[:5])} is generated by the database"
    error = Reject(f"{text}; see --unknown_fields", "unknown_field")
    return Poison(index, "unknown_field", error, str(error))
