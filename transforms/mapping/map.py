"""Shape records by a mapping, and reject those that do not fit it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import apache_beam as beam

import transforms.batch.coders  # noqa: F401  registers the coder of RecordBatch
from transforms import instruments
from transforms.batch.record import RecordBatch
from transforms.errors import ConfigError, Reject
from transforms.mapping.compiled import Run, compiled
from transforms.mapping.field import CATEGORY, QUOTED_EMPTY, QuotedEmpty
from transforms.mapping.mapping import Mapping
from transforms.mapping.origin_values import Origins
from transforms.mapping.templates import GONE
from transforms.parse.csv.cells import any_quoted_empty, quoted_empty
from transforms.steps.each_record import Drop, apply_to_values

STAGE = "map"


class Map(beam.PTransform):
    """Apply a mapping to every record of a ``RecordBatch``; put it behind ``Parse``.

    A record that does not fit becomes a failure of stage ``map``, category ``mapping``. No message
    shows the value of a field that the mapping hashes, masks or hides.

    Args:
        mapping: What to do.
        run: What ``@run`` stands for.

    Raises:
        ConfigError: The mapping asks for ``@run``, and ``run`` is empty.
    """

    def __init__(self, mapping: Mapping, run: str = "") -> None:
        super().__init__()
        if mapping.needs_run and not run:
            raise ConfigError("the mapping asks for @run: give Map(mapping, run=…)")
        self._mapping = mapping
        self._run = run

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return batches | "Shape" >> beam.ParDo(_MapFn(self._mapping, self._run)).with_input_types(
            RecordBatch
        ).with_output_types(RecordBatch)


class Mapper:
    """Maps batches; it holds resolved secrets, so it is not to be pickled.

    Args:
        mapping: What to do.
        run: What ``@run`` stands for.

    Raises:
        ConfigError: A secret cannot be resolved.
    """

    def __init__(self, mapping: Mapping, run: str = "") -> None:
        self._mapping = mapping
        self._run = run
        self._of_csv = compiled(mapping.operations, csv=True)
        self._of_others = compiled(mapping.operations, csv=False)

    def __reduce__(self) -> Any:
        raise TypeError("a Mapper holds secrets and is not pickled")

    def map(self, batch: RecordBatch) -> RecordBatch:
        """``batch`` with the values that the mapping makes of them.

        Raises:
            ValueError: The batch has no values: it has not been parsed.
        """
        if batch.values is None:
            raise ValueError("Map needs parsed records: put Parse before it")
        if batch.format.name == "csv":
            return self._mapped_csv(batch, batch.values)
        return _mapped(batch, batch.values, partial(_run, self._of_others), self._run)

    def _mapped_csv(self, batch: RecordBatch, values: Sequence[Any]) -> RecordBatch:
        run = partial(_run, self._of_csv)
        if any_quoted_empty(batch.raws, batch.format):
            values = list(map(_with_marks, values, (quoted_empty(raw, batch.format) for raw in batch.raws)))
            run = partial(_run_marked, self._of_csv)
        return _mapped(batch, values, run, self._run)
