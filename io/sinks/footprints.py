"""What a commit touches: the keys of its rows as the database compares them.

Where that cannot be told, the commit counts as one that may touch any key of its table, or anything.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import itemgetter
from typing import Any
from uuid import UUID

from sinks import targets
from sinks.database.database import Database
from sinks.database.dialects import dialect_named
from sinks.database.engine import engine_of
from sinks.table.config import SqlConfig
from sinks.table.target import Column, Target
from sinks.tables import Tables, known_schema, use_of, without_schema
from transforms.batch.coverage import merge
from transforms.batch.record import RecordBatch
from transforms.errors import SluiceError
from transforms.parse.columns.columnar import Cells, Columnar, has_null, joined
from transforms.settle.flight import Footprint, Range

_LINE = 37
"""Characters of a line with a UUID in its usual spelling."""

_DASHES = (8, 13, 18, 23)

Values = Sequence[Mapping[str, Any]]
"""Parsed records."""

_WHOLE = re.compile(r"(?:0|-?[1-9][0-9]*)(?:\n(?:0|-?[1-9][0-9]*))*")
"""Numbers as only one text is spelt, one a line."""


def in_flight(database: Database) -> int:
    """How many transactions of one writer may write side by side to advantage."""
    url = engine_of(database).url
    return dialect_named(url.get_backend_name(), url.get_driver_name()).in_flight


def footprint_of(
    config: SqlConfig,
    tables: Tables | None,
    pipeline: str,
    batches: Sequence[RecordBatch],
) -> Footprint:
    """What a commit of ``batches`` touches.

    Args:
        config: The pipeline's own table.
        tables: Those that routes send records to.
        pipeline: The name of the pipeline, for its ledger.
        batches: Parsed batches.
    """
    place = config.database
    schema = known_schema(place)
    keys: dict[str, AbstractSet[Hashable] | None] = {}
    ancestors: set[str] = set()
    keyless = False
    for label, values in _by_label(batches, schema).items():
        target = _target_of(config, tables, schema, label)
        if target is None or is_entangled(target):
            return Footprint(place, exclusive=True)
        own = keys_of(target, values)
        if target.label in keys:  # once by its name, once as the pipeline's own
            before = keys[target.label]
            own = None if own is None or before is None else own | before
        keys[target.label] = own
        ancestors |= target.interplay.ancestors
        keyless |= target.origin_key
    # Jobs settle no offsets: the span of a batch encloses those of many others.
    settling = [batch for batch in batches if keyless or batch.claim is None]
    return Footprint(place, keys, ancestors, _spans(pipeline, settling))


def is_entangled(target: Target) -> bool:
    """Whether more than their keys may decide how rows of two commits get along."""
    interplay = target.interplay
    return (
        interplay.entangled
        or interplay.rewriting
        or bool(interplay.self_references)
        or target.deferrable
        or target.partitioned  # each partition may have constraints and triggers of its own
    )


def keys_of(target: Target, values: Values) -> AbstractSet[Hashable] | None:
    """The keys of records, each in the one form that all of its spellings share.

    None if some may be equal to the database that are not equal here. Records without a key are left
    out, since they are refused. Those of a table without a key are told apart by their offsets.
    """
    if target.origin_key or not values:
        return frozenset()
    columns = {column.name: column for column in target.columns}
    cells = [_cells(values, name) for name in target.key]
    if len(cells) == 1 and (keys := _arrow_keys(columns.get(target.key[0]), cells[0])) is not None:
        return keys
    if any(map(has_null, cells)):
        rows = [row for row in zip(*cells, strict=True) if None not in row]
        cells = [[row[place] for row in rows] for place in range(len(cells))]
    forms = []
    for name, column_cells in zip(target.key, cells, strict=True):
        column = columns.get(name)
        if column is None or not column.one_spelling:
            return None
        of_column = _forms(column.type, column_cells)
        if of_column is None:
            return None
        forms.append(of_column)
    # Hashes of tuples need less memory, and equal ones only make commits wait.
    return frozenset(forms[0] if len(forms) == 1 else map(hash, zip(*forms, strict=True)))


def _arrow_keys(column: Column | None, cells: Sequence[Any]) -> AbstractSet[Hashable] | None:
    """The keys in the only column of a key, as Arrow has them; None where they are values."""
    if column is None or not column.one_spelling or not isinstance(cells, Cells):
        return None
    from sinks.text.arrow_keys import ArrowKeys, numbers_of  # with pyarrow

    numbers = numbers_of(column.type, cells)
    if numbers is None:
        return None
    return ArrowKeys(column.type, numbers, lambda: _forms(column.type, list(cells)) or ())


def _cells(values: Values, name: str) -> Sequence[Any]:
    if isinstance(values, Columnar):
        return values.columns.get(name) or [None] * len(values)
    try:
        return list(map(itemgetter(name), values))
    except KeyError:
        return [value.get(name) for value in values]


def _forms(kind: str, cells: Sequence[Any]) -> Sequence[Hashable] | None:
    """The cells of one column, none of them NULL, in the one form that all spellings share."""
    kinds = set(map(type, cells))
    if kind in ("int2", "int4", "int8"):
        if kinds <= {int}:
            return cells
        return (
            list(map(int, cells)) if kinds <= {str} and _WHOLE.fullmatch("\n".join(cells)) else None
        )
    if kind == "uuid":
        if kinds <= {str}:
            return _uuids(cells)
        return list(map(str, cells)) if kinds <= {UUID} else None
    return cells if kinds <= {str} else None


def _uuids(cells: Sequence[str]) -> Sequence[str] | None:
    """Each in its usual spelling, which has lower case and four dashes. Braces might surround it."""
    lines = "\n".join(cells)
    dashes = "-" * len(cells)
    if (
        lines == lines.lower()
        and all(lines[place::_LINE] == dashes for place in _DASHES)
        and lines[_LINE - 1 :: _LINE] == "\n" * (len(cells) - 1)
    ):
        return cells
    digits = lines.lower().replace("-", "")
    forms = digits.split("\n")
    if "{" in digits or len(forms) != len(cells):
        return None
    return [f"{n[:8]}-{n[8:12]}-{n[12:16]}-{n[16:20]}-{n[20:]}" for n in forms]


def _by_label(batches: Iterable[RecordBatch], schema: str | None) -> dict[str, Values]:
    """The values of the records of each table; those that were not routed under an empty label."""
    of_table: defaultdict[str, list[Values]] = defaultdict(list)
    for batch in batches:
        values = batch.values
        if values is None or not batch.raws:
            continue
        if batch.targets is None:
            of_table[""].append(values)
            continue
        labels = {name: without_schema(name, schema) for name in set(batch.targets)}
        if len(labels) == 1:
            of_table[next(iter(labels.values()))].append(values)
            continue
        dealt: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for name, value in zip(batch.targets, values, strict=True):
            dealt[labels[name]].append(value)
        for label, of_label in dealt.items():
            of_table[label].append(of_label)
    return {label: joined(parts) for label, parts in of_table.items()}


def _target_of(
    config: SqlConfig, tables: Tables | None, schema: str | None, label: str
) -> Target | None:
    """The target as this process last saw it; None if it is not known."""
    if not label:
        return targets.remembered(config) if config.has_table else None
    if tables is None:
        return None
    try:
        return targets.remembered(use_of(tables, label, schema).config)
    except SluiceError:
        return None  # the commit says why


def _spans(
    pipeline: str, batches: Iterable[RecordBatch]
) -> dict[tuple[str, str, str], tuple[Range, ...]]:
    """The offsets of each partition."""
    spans: defaultdict[tuple[str, str, str], list[Range]] = defaultdict(list)
    for batch in batches:
        span = batch.span
        spans[pipeline, span.source, span.partition].append((span.start, span.end))
    return {place: merge(ranges) for place, ranges in spans.items()}
