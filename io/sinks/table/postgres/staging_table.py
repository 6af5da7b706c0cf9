"""The temporary table that COPY takes rows into, before they are inserted into the target.

It has the target's columns and two that number rows and batches. A target that leaves no room for
these, because PostgreSQL's tables have at most 1,600 columns, has its last columns packed into one
of a composite type. Its text form reads each value as COPY would.
"""

# ruff: noqa: S608 - identifiers are quoted

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from sinks.table.postgres.lines import Lines
from sinks.table.records import Records
from sinks.table.target import Target
from sinks.text.copy_text import NULL
from sinks.text.quoting import quote, quoted

MOST_COLUMNS = 1_600  # MaxHeapAttributeNumber (PostgreSQL manual, appendix K)
_ADDED = 3  # ordinal, batch and what is packed


@dataclass(frozen=True, slots=True)
class StagingTable:
    """The temporary table.

    Attributes:
        quoted: Its quoted name.
        index: Quoted name of the index that it may get.
        ordinal: Quoted name of the column that numbers the rows of a commit.
        batch: Quoted name of the column with the number of a row's batch.
        rows: What stands after FROM for its rows with all columns of the target.
        create: Statements that create it in this session, unless it is there.
        packed: Names of the target's columns that share one of its columns.
    """

    quoted: str
    index: str
    ordinal: str
    batch: str
    rows: str
    create: tuple[str, ...]
    packed: tuple[str, ...] = ()


def table_of(target: Target) -> StagingTable:
    """The staging table of ``target``; its rows vanish with a transaction.

    Its name depends on the columns, so a table that was altered gets another one.
    """
    shape = repr((target.table, target.columns))
    digest = hashlib.blake2b(shape.encode(), digest_size=8).hexdigest()
    ordinal, batch, rest = map(quote, _extra_names(target))
    name = f"sluice_{digest}"
    packed = _packed(target)
    shown = [quote(column.name) for column in target.columns if column.name not in packed]
    source, create = quoted(target.table), "CREATE TEMPORARY TABLE IF NOT EXISTS"
    rows, added = quote(name), ""
    before: tuple[str, ...] = ()
    if packed:
        kind = quote(f"{name}_rest")
        columns = ", ".join(map(quote, packed))
        before = (f"{create} {kind} AS SELECT {columns} FROM {source} WITH NO DATA",)
        added = f"NULL::pg_temp.{kind} AS {rest}, "
        unpacked = ", ".join(
            [*shown, *(f"({rest}).{quote(each)} AS {quote(each)}" for each in packed)]
        )
        rows = f"(SELECT {unpacked}, {ordinal}, {batch} FROM {quote(name)}) AS {quote(name)}"
    staged = (
        f"{create} {quote(name)} ON COMMIT DELETE ROWS AS "
        f"SELECT {', '.join(shown)}, {added}0::bigint AS {ordinal}, 0::integer AS {batch} "
        f"FROM {source} WITH NO DATA"
    )
    index = quote(f"{name}_index")
    return StagingTable(quote(name), index, ordinal, batch, rows, (*before, staged), packed)


def index_statement(table: StagingTable) -> str:
    """Index the rows by number, in this transaction."""
    return f"CREATE INDEX {table.index} ON {table.quoted} ({table.ordinal})"


def unindex_statement(table: StagingTable) -> str:
    """Drop that index again: the next commit may not need it."""
    return f"DROP INDEX pg_temp.{table.index}"


def there_statement(table: StagingTable) -> str:
    """Ask whether the table is there."""
    return f"SELECT to_regclass($n$pg_temp.{table.quoted}$n$) IS NOT NULL"


def by_batch(lines: Lines, records: Records, target: Target) -> tuple[tuple[str, ...], bytes]:
    """The columns and the data of ``lines``, whose records ascend, with the number of each row's batch."""
    if len(records.starts) == 1:
        return lines.names, lines.whole
    _, batch, _ = _extra_names(target)
    parts: list[str] = []
    start = 0
    while start < len(lines.indices):
        number = records.batch_of(lines.indices[start])
        after = records.starts[number + 1 : number + 2]
        end = bisect_left(lines.indices, after[0]) if after else len(lines.indices)
        rest = f"\t{number}\n"
        parts += [rest.join(lines.texts[start:end]), rest]
        start = end
    return (*lines.names, batch), "".join(parts).encode()


def numbered(
    lines: Lines, start: int, records: Records, target: Target, table: StagingTable
) -> Lines:
    """``lines`` as ``table`` takes them, with the two columns that number row and batch."""
    ordinal, batch, rest = _extra_names(target)
    if not table.packed or not set(table.packed) & set(lines.names):
        names, texts = lines.names, lines.texts
    else:
        names, texts = _with_packed(lines, table.packed, rest)
    if len(records.starts) == 1:
        texts = [f"{text}\t{number}\t0" for number, text in enumerate(texts, start)]
    else:
        batches = map(records.batch_of, lines.indices)
        texts = [
            f"{text}\t{number}\t{batch}"
            for number, (text, batch) in enumerate(zip(texts, batches, strict=True), start)
        ]
    return Lines((*names, ordinal, batch), texts, lines.indices)


def _packed(target: Target) -> tuple[str, ...]:
    """The columns that have to share one: none that statements look at by name."""
    surplus = len(target.columns) + _ADDED - MOST_COLUMNS
    if surplus <= 1:  # one column in a column of its own needs no less room
        return ()
    kept = {*target.key, target.on_conflict.field}
    free = [column for column in target.columns if column.name not in kept]
    # A domain that is NOT NULL cannot be left out of a composite value.
    free.sort(key=lambda column: column.not_null, reverse=True)
    return tuple(column.name for column in free[-surplus:])


def _with_packed(
    lines: Lines, packed: Sequence[str], rest: str
) -> tuple[tuple[str, ...], list[str]]:
    """Names and lines with the cells of ``packed`` as one composite value in the column ``rest``."""
    places = [lines.names.index(name) if name in lines.names else None for name in packed]
    kept = [place for place, name in enumerate(lines.names) if name not in packed]
    texts = []
    for text in lines.texts:
        cells = text.split("\t")
        parts = ("" if place is None else _part(cells[place]) for place in places)
        value = f"({','.join(parts)})".replace("\\", "\\\\")
        value = value.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
        texts.append("\t".join([*(cells[place] for place in kept), value]))
    return (*(lines.names[place] for place in kept), rest), texts


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r"}


def _part(cell: str) -> str:
    """A cell as COPY reads it, as a part of a composite value (PostgreSQL manual, 8.16.6)."""
    if cell == NULL:
        return ""
    text = _ESCAPE.sub(lambda match: _CONTROLS.get(match[1], match[1]), cell)
    return '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'


def _extra_names(target: Target) -> tuple[str, str, str]:
    """Names that no column of the target has: of ordinal, batch and what is packed."""
    taken = {column.name for column in target.columns}
    suffix = ""
    while taken & {f"sluice_{name}{suffix}" for name in ("ordinal", "batch", "rest")}:
        suffix += "_"
    return f"sluice_ordinal{suffix}", f"sluice_batch{suffix}", f"sluice_rest{suffix}"
