"""Shape records by a mapping, and reject those that do not fit it."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import apache_beam as beam

import transforms.batch.coders  # noqa: F401  registers the coder of RecordBatch
from transforms import instruments
from transforms.batch.pieces import in_pieces
from transforms.batch.record import RecordBatch
from transforms.batch.several import Several
from transforms.errors import ConfigError, Reject
from transforms.mapping.compiling.compiled import Part, compiled
from transforms.mapping.compiling.templates import GONE
from transforms.mapping.field import CATEGORY, QUOTED_EMPTY, QuotedEmpty
from transforms.mapping.mapping import Mapping
from transforms.mapping.origin_values import Origins
from transforms.parse.csv.cells import any_quoted_empty, quoted_fields
from transforms.parse.csv.columns import names_of
from transforms.parse.parse import ParseConfig, parse
from transforms.steps.apply import Drop, apply_to_values

STAGE = "map"
_MOST_HEADERS = 256


class Map(beam.PTransform):
    """Apply a mapping to every record of a ``RecordBatch``; put it behind ``Parse``.

    A record that does not fit becomes a failure of stage ``map``, category ``mapping``. No message
    shows the value of a field that the mapping hashes, masks or hides.

    Args:
        mapping: What to do.
        run: What ``@run`` stands for.
        now: What ``@now`` stands for; None for the time at which a batch is mapped.
        parse: Take the place of ``Parse`` with this configuration as well. Records are then parsed and
            mapped some hundreds at a time, which costs half as much as one step after the other.

    Raises:
        ConfigError: The mapping asks for ``@run``, and ``run`` is empty.
    """

    def __init__(
        self,
        mapping: Mapping,
        run: str = "",
        *,
        now: datetime | None = None,
        parse: ParseConfig | None = None,
    ) -> None:
        super().__init__()
        if mapping.needs_run and not run:
            raise ConfigError("the mapping asks for @run: give Map(mapping, run=…)")
        self._mapping = mapping
        self._run = run
        self._now = now
        self._parse = parse

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return batches | "Shape" >> beam.ParDo(
            _MapFn(self._mapping, self._run, self._now, self._parse)
        ).with_input_types(RecordBatch).with_output_types(RecordBatch)


class Mapper:
    """Maps batches. It holds resolved secrets, so it cannot be pickled.

    Args:
        mapping: What to do.
        run: What ``@run`` stands for.
        now: What ``@now`` stands for; None for the time at which a batch is mapped.
        stage: Names it in failures, and in the expansions of what it makes several records of.

    Raises:
        ConfigError: A secret cannot be resolved.
    """

    def __init__(
        self, mapping: Mapping, run: str = "", now: datetime | None = None, stage: str = STAGE
    ) -> None:
        self._mapping = mapping
        self._run = run
        self._now = now
        self._stage = stage
        self._csv_parts = compiled(mapping.operations, csv=True)
        self._parts = compiled(mapping.operations, csv=False)
        self._cells: dict[tuple[tuple[str, str], ...], Dict[str, str]] = {}

    def __reduce__(self) -> Any:
        raise TypeError("a Mapper may hold secrets and is not pickled")

    def map(self, batch: RecordBatch) -> RecordBatch:
        """``batch`` with the values that the mapping makes of them.

        Raises:
            ValueError: The batch has no values: it has not been parsed.
        """
        if batch.values is None:
            raise ValueError("Map needs parsed records: put Parse before it")
        if batch.format.name == "csv":
            return self._mapped_csv(batch)
        return self._mapped(batch, self._parts)

    def _mapped(self, batch: RecordBatch, parts: Sequence[Part]) -> RecordBatch:
        now = self._now or datetime.now(UTC)
        for part in parts:
            batch = _applied(batch, part, Origins(batch, self._run, now), self._stage)
        return batch

    def _mapped_csv(self, batch: RecordBatch) -> RecordBatch:
        """A batch of CSV, in which cells that are empty in quotes are told from empty ones."""
        cells = self._cells_after(batch)
        marked = any_quoted_empty(batch.raws, batch.format)
        if marked:
            batch = batch.with_values(_marked(batch))
        batch = self._mapped(batch, self._csv_parts)
        if marked:
            batch = batch.with_values(list(map(_unmarked, batch.values or ())))
        return replace(batch, cells=cells)

    def _cells_after(self, batch: RecordBatch) -> Dict[str, str]:
        """By field behind the mapping, the column whose cell it is; another may have come before."""
        if batch.cells is None:
            before = {name: name for name in names_of(batch.format.columns)}
        else:
            before = dict(batch.cells)
        key = tuple(before.items())
        if key not in self._cells:
            if len(self._cells) >= _MOST_HEADERS:
                self._cells.clear()
            cells = self._mapping.cells(before)
            self._cells[key] = {field: before[name] for field, name in cells.items()}
        return self._cells[key]


def _marked(batch: RecordBatch) -> list[Any]:
    values = list(batch.values or ())
    for index in range(len(values)):
        if (names := quoted_fields(batch, index)) and isinstance(values[index], dict):
            marks = {name: QUOTED_EMPTY for name in names if values[index].get(name) == ""}
            values[index] = {**values[index], **marks}
    return values


def _unmarked(value: Any) -> Any:
    if type(value) is QuotedEmpty:
        return ""
    if isinstance(value, dict):
        if any(type(part) in _HOLDERS for part in value.values()):
            return {name: _unmarked(part) for name, part in value.items()}
    elif isinstance(value, list):
        return list(map(_unmarked, value))
    return value


_HOLDERS = (QuotedEmpty, dict, list)
"""The types of what may be, or have in it, a mark."""


def _applied(batch: RecordBatch, part: Part, origins: Origins, stage: str) -> RecordBatch:
    """``batch`` after a part of a mapping; each record is mapped once, whether it fits or not."""
    values: Sequence[Any] = batch.values or ()
    results: dict[int, Any] = {}

    def whole(indices: Sequence[int]) -> Sequence[Any] | None:
        out: list[Any] = []
        refused = False
        run, items = part.of(indices, values)
        while (done := len(out)) < len(indices):
            try:
                run(items[done:], indices[done:], values, origins, out)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - kept, and raised again for its record
                refused = True
                out.append(_Refused(error))
        if not (refused or part.unnests or (part.filters and GONE in out)):
            return out
        results.clear()
        results.update(zip(indices, out, strict=True))
        return None

    def one(index: int) -> Any:
        result = results.pop(index)
        if type(result) is _Refused:
            raise _rejection(result.error) from None
        if result is GONE:
            raise Drop
        return Several(result) if part.unnests else result

    return apply_to_values(batch, range(len(values)), one, stage, whole)


@dataclass(frozen=True, slots=True)
class _Refused:
    """What stands for a record that does not fit."""

    error: Exception


def _rejection(error: Exception) -> Reject:
    """A rejection that says no more than is safe: other errors may quote a value."""
    if type(error) is Reject:
        return Reject(error.message, error.category)
    return Reject(f"the record cannot be mapped: {type(error).__name__}", CATEGORY)


class _MapFn(beam.DoFn):
    def __init__(
        self, mapping: Mapping, run: str, now: datetime | None, parse: ParseConfig | None
    ) -> None:
        self._mapping = mapping
        self._run = run
        self._now = now
        self._parse = parse

    def setup(self) -> None:
        self._mapper = Mapper(self._mapping, self._run, self._now)

    def process(self, batch: RecordBatch) -> Sequence[RecordBatch]:
        return (in_pieces(batch, self._mapped),)

    def _mapped(self, batch: RecordBatch) -> RecordBatch:
        if self._parse is not None:
            with instruments.stage("parse"):
                batch = parse(batch, self._parse)
        with instruments.stage("map"):
            return self._mapper.map(batch)
