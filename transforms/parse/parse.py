"""Turn the raw bytes of records into values, and reject those that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import apache_beam as beam

import transforms.batch.coders  # noqa: F401  registers the coder of RecordBatch
from transforms import instruments
from transforms.batch.record import JSON, RecordBatch
from transforms.errors import ConfigError
from transforms.parse import typed_rows
from transforms.parse.by_format import MAX_BYTES, MAX_DEPTH, One, readers
from transforms.parse.columns.columnar import ColumnForms
from transforms.parse.columns.csv_columns import CsvReader, csv_reader_of
from transforms.parse.columns.json_columns import FEWEST, Reader, reader_of
from transforms.parse.epochs import EpochColumn, with_instants
from transforms.parse.quotes import without_quotes
from transforms.parse.raw import with_head_only
from transforms.parse.registry import decoders
from transforms.parse.registry.decode import Values, is_of_topic
from transforms.parse.registry.decoders import Bounds, Decoders
from transforms.parse.registry.keys import with_key_values
from transforms.parse.registry.schema import Schemas
from transforms.steps.apply import apply_to_values

STAGE = "parse"

MISFITS_SHARE = 8
"""One of so many records may be malformed where the others are read column by column."""


@dataclass(frozen=True, slots=True)
class ParseConfig:
    """Bounds of one record.

    Attributes:
        max_record_bytes: A longer record is rejected (``too_large``).
        max_depth: A JSON record that is nested deeper is rejected (``too_deep``); the outermost
            object is level 1.
        epochs: The columns whose numbers are instants.
        quotes: Whether the messages of failures may quote what was read. Without it they say the
            place only: nobody knows whether a fragment is of a field that is hidden later.
        tombstones: Whether no bytes at all are a record without fields: the key says what is gone.
        schemas: Looks up the schemas that messages of topics name; None where they name none.
        keys: Whether the keys of messages are decoded too.
        columns: What is known of the columns that records are for, if no step between looks at a
            single record, or only at those that its schema leaves in doubt: they are read column by
            column. None to read each record.

    Raises:
        ConfigError: A bound is less than 1.
    """

    max_record_bytes: int = MAX_BYTES
    max_depth: int = MAX_DEPTH
    epochs: tuple[EpochColumn, ...] = ()
    quotes: bool = True
    tombstones: bool = False
    schemas: Schemas | None = None
    keys: bool = False
    columns: ColumnForms | None = None

    def __post_init__(self) -> None:
        for name in ("max_record_bytes", "max_depth"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, got {getattr(self, name)}")

    @property
    def decoders(self) -> Decoders | None:
        """What decodes messages by their schemas, in this process; None without ``schemas``."""
        if self.schemas is None:
            return None
        return decoders.of(self.schemas, self.bounds)

    @property
    def bounds(self) -> Bounds:
        """The bounds of a message that is decoded."""
        return Bounds(self.max_record_bytes, self.max_depth)


class Parse(beam.PTransform):
    """Give every record of a ``RecordBatch`` its value.

    JSON becomes a dict with exact numbers (``int`` of any size, ``Decimal``), CSV a dict of
    strings, text a dict with the one field ``payload``; a message that names a schema of a registry what
    its bytes are by that schema. The values of Parquet and Avro rows come from the reader; a replayed row is
    read from its stored bytes. A record that cannot be read becomes a failure of stage ``parse``.
    """

    def __init__(self, config: ParseConfig | None = None) -> None:
        super().__init__()
        self._config = config or ParseConfig()

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return batches | "Read" >> beam.ParDo(_ParseFn(self._config)).with_input_types(
            RecordBatch
        ).with_output_types(RecordBatch)


def parse(batch: RecordBatch, config: ParseConfig) -> RecordBatch:
    """``batch`` with values; the records that cannot be read are among its failures.

    Raises:
        ValueError: The format is unknown (a defect of the reader).
    """
    quotes = config.quotes
    if not quotes and batch.failures:
        batch = replace(batch, failures=tuple(map(without_quotes, batch.failures)))
    if batch.format.name not in typed_rows.TYPED or batch.values is None:
        batch = _read(batch, config)
    return with_instants(batch, config.epochs, STAGE, quotes=quotes) if config.epochs else batch


def _read(batch: RecordBatch, config: ParseConfig) -> RecordBatch:
    """``batch`` with the values that its bytes say."""
    size, depth, quotes = config.max_record_bytes, config.max_depth, config.quotes
    one, whole = readers(batch.format, size, depth, quotes=quotes, raises=False)
    if config.tombstones and b"" in batch.raws:
        one, whole = _with_tombstones(one), lambda raws: None
    if config.keys and config.decoders is not None and is_of_topic(batch):
        batch = with_key_values(batch, config.decoders)
    values = _by_schemas(batch, one, config)
    if values is None:
        parsed = _by_columns(batch, one, config) or apply_to_values(
            batch, batch.raws, one, STAGE, whole, quotes=quotes
        )
    else:
        indices = range(len(batch.raws))
        parsed = apply_to_values(batch, indices, values.one, STAGE, values.many, quotes=quotes)
    if batch.claim is not None or len(parsed.failures) == len(batch.failures):
        return parsed  # the bytes of a job stay as they were stored
    limit = config.max_record_bytes
    cut = (with_head_only(failure, limit) for failure in parsed.failures)
    return replace(parsed, failures=tuple(cut))


def _by_columns(batch: RecordBatch, one: One, config: ParseConfig) -> RecordBatch | None:
    """``batch`` with its values column by column; None where each record is to be read by ``one``."""
    if config.columns is None or batch.ahead is not None or not batch.raws:
        return None  # of a job that was one of several, a step has to find it again
    if batch.format.name == "csv":
        reader: Reader | CsvReader | None = csv_reader_of(batch.format)
    else:
        reader = reader_of(batch.raws, config.columns) if batch.format == JSON else None
    if reader is None:
        return None
    count = len(batch.raws)
    reading = reader.read(
        batch.raws, config.max_record_bytes, config.max_depth, count // MISFITS_SHARE
    )
    fitted = reading is not None
    if reading is not None and reading.misfits:
        raws = [batch.raws[index] for index in reading.misfits]
        rest = batch.keep(reading.misfits, None)
        refused = apply_to_values(rest, raws, one, STAGE, quotes=config.quotes)
        fitted = not refused.raws
        misfits = set(reading.misfits)
        good = [index for index in range(count) if index not in misfits]
        batch = replace(batch.keep(good, None), failures=refused.failures)
    if count >= FEWEST:  # a few records say little about the next ones
        reader.note(fitted=fitted)
    if reading is None or not fitted:
        return None
    return batch.with_values(reader.records(batch.raws, reading))


def _with_tombstones(one: One) -> One:
    return lambda raw: one(raw) if raw else {}


def _by_schemas(batch: RecordBatch, plain: One, config: ParseConfig) -> Values | None:
    """The values of messages that name schemas; None where there is no such message."""
    if config.decoders is None or not is_of_topic(batch):
        return None
    values = Values(batch, config.decoders, plain, config.max_record_bytes, quotes=config.quotes)
    return None if values.none_is_named else values


class _ParseFn(beam.DoFn):
    def __init__(self, config: ParseConfig) -> None:
        self._config = config

    def process(self, batch: RecordBatch) -> Sequence[RecordBatch]:
        with instruments.stage("parse"):
            return (parse(batch, self._config),)
