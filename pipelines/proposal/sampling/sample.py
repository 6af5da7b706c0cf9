"""Read the start of a source with the readers that a run has, and look at its fields; nothing is settled."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipelines.planning.no_ledger import NoLedger
from pipelines.planning.sample import Bounds, aside, sample
from pipelines.proposal.sampling.messages import envelope_of, key_names
from pipelines.proposal.sampling.survey import Survey
from transforms import notes
from transforms.batch.record import Failure, Format, RecordBatch
from transforms.batch.splits import Source
from transforms.envelope.config import UnwrapConfig
from transforms.envelope.event import Envelope
from transforms.envelope.unwrap import Unwrapper
from transforms.errors import ConfigError
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.registry.decode import is_of_topic
from transforms.parse.registry.schema import SchemaId
from transforms.parse.registry.wire import schema_named

TOMBSTONE = "tombstone"
"""What a message without a value is, where nothing is done about it."""

_OF_ANOTHER_FORMAT = frozenset({"malformed", "invalid_utf8", "not_object", "column_count"})
"""What becomes of records that are read as what they are not."""


@dataclass(slots=True)
class Sample:
    """What was read of a source.

    Attributes:
        survey: What the records show.
        format: How their bytes are read; None if there was none.
        refused: Of records that cannot be read, how many there are for each category.
        example: The first of them.
        whole: Whether that was everything.
        detected: What the content of the files said about how they are written.
        envelope: What rows are in, in all messages; None if there was no message yet.
        key_names: The fields of the messages' keys, if these are records; None if there was no key yet.
        named: How many messages name a schema of a registry.
        schema_ids: The schemas that they name.
    """

    survey: Survey
    format: Format | None = None
    refused: Counter[str] = field(default_factory=Counter)
    example: Failure | None = None
    whole: bool = False
    detected: Sequence[str] = ()
    envelope: Envelope | None = None
    key_names: tuple[str, ...] | None = None
    named: int = 0
    schema_ids: set[SchemaId] = field(default_factory=set)

    def add(self, batch: RecordBatch, config: ParseConfig) -> None:
        """Take note of a batch as it was read."""
        parsed = parse(batch, config)
        if is_of_topic(parsed):
            parsed = self._messages(parsed, config)
        for failure in parsed.failures:
            self.example = self.example or failure
            self.refused[failure.category] += 1
        if parsed.values:
            self.format = self.format or parsed.format
            self.survey.add(parsed)

    def _messages(self, parsed: RecordBatch, config: ParseConfig) -> RecordBatch:
        """Take note of what messages show beside their fields; returns the rows in them."""
        values = parsed.values or ()
        if self.envelope is None and values:
            self.envelope = envelope_of(values)
        if config.schemas is not None:
            named = [schema_named(raw, parsed.headers, n) for n, raw in enumerate(parsed.raws)]
            ids = [each for each in named if each is not None]
            self.named += len(ids)
            self.schema_ids.update(ids)
        wrapped = self.envelope not in (None, "none")
        names = key_names(parsed, decoded=not wrapped)
        if names is not None:
            self.key_names = names if self.key_names in (None, names) else ()
        if not wrapped or self.envelope is None:
            return parsed
        # Of deletes nothing is seen but that they are there: they have no rows.
        unwrapper = Unwrapper(UnwrapConfig(envelope=self.envelope, on_delete="ignore"))
        return unwrapper.unwrapped(parsed)

    def forget_tombstones(self) -> None:
        """Count no tombstone among what cannot be read: in a stream of changes each says something."""
        del self.refused[TOMBSTONE]
        if self.example is not None and self.example.category == TOMBSTONE:
            self.example = None


def taken(
    source: Source,
    bounds: Bounds,
    config: ParseConfig | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Sample:
    """The start of ``source``, which is checked first.

    Args:
        source: What to read.
        bounds: How much of it.
        config: How records are parsed; None for the defaults.
        clock: Seconds.

    Raises:
        ConfigError: It has no record, or none that can be read, or ``check`` refuses it.
        SourceUnavailable: A storage or a broker cannot be reached.
        SluiceError: A schema registry cannot.
    """
    config = config or ParseConfig()
    if config.schemas is not None:
        config.schemas.check()
    source = aside(source, from_start=True)
    source.check()
    notes.reset()
    read = sample([source], NoLedger(), bounds, clock)
    result = Sample(Survey(bounds.records))
    for batch in read.batches:
        result.add(batch, config)
    if result.envelope not in (None, "none"):
        result.forget_tombstones()
    result.whole = not read.ended_by and read.records < bounds.records
    result.detected = [note.group for note in notes.noted() if note.topic == "detected"]
    _refuse_nothing(result, source, read.ended_by)
    return result


def _refuse_nothing(sample: Sample, source: Source, ended_by: str) -> None:
    if sample.survey.records:
        return
    if sample.example is not None:
        hint = ""
        if sample.example.category in _OF_ANOTHER_FORMAT:
            hint = "; if it is written otherwise, say how (--format, --encoding, --csv_…, --json_…)"
        raise ConfigError(
            f"{source.uri} has no record that can be read ({sample.refused.total():,} cannot), so "
            f"nothing can be proposed; the first: {sample.example.message}{hint}"
        )
    within = f" within {ended_by}" if ended_by else ""
    raise ConfigError(f"{source.uri} has no records{within}, so nothing can be proposed")
