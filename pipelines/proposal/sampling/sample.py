"""Read the start of a source with the readers that a run has, and leave no trace.

Nothing is settled: no ledger is written, no consumer group is asked or told.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pipelines.proposal.sampling.survey import Survey
from transforms import notes
from transforms.batch.coverage import Coverage
from transforms.batch.record import Failure, Format, RecordBatch
from transforms.batch.splits import Polled, Source, Split
from transforms.errors import ConfigError
from transforms.parse.parse import ParseConfig, parse

_PATIENCE = 1.0
"""Seconds to wait in one poll."""

_PARSE = ParseConfig()


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is read at most; what is reached first ends the sample.

    Attributes:
        records: Records.
        bytes: Their bytes.
        seconds: Time.
    """

    records: int = 10_000
    bytes: int = 64 << 20
    seconds: float = 30.0


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
    """

    survey: Survey
    format: Format | None = None
    refused: Counter[str] = field(default_factory=Counter)
    example: Failure | None = None
    whole: bool = False
    detected: Sequence[str] = ()

    def add(self, batch: RecordBatch, bounds: Bounds) -> None:
        """Take note of a batch as it was read."""
        parsed = parse(batch, _PARSE)
        for failure in parsed.failures:
            self.example = self.example or failure
            self.refused[failure.category] += 1
        if parsed.values:
            self.format = self.format or parsed.format
            self.survey.add(parsed, bounds.records - self.survey.records)


class NothingSettled:
    """The ledger of a source of which nothing has been read."""

    def coverage(self, partitions: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Coverage]:
        """Nothing."""
        return {}

    def partitions(self, source: str) -> dict[str, Coverage]:
        """Nothing."""
        return {}

    def is_empty(self) -> bool:
        """Yes."""
        return True

    def versions(self, sources: Sequence[str]) -> dict[tuple[str, str], Coverage]:
        """Nothing."""
        return {}

    def elsewhere(self, partitions: Sequence[str]) -> dict[tuple[str, str], Coverage]:
        """Nothing."""
        return {}


def taken(source: Source, bounds: Bounds, clock: Callable[[], float] = time.monotonic) -> Sample:
    """The start of ``source``, which is checked first.

    Raises:
        ConfigError: It has no record, or none that can be read, or ``check`` refuses it.
        SourceUnavailable: A storage or a broker cannot be reached.
    """
    source.check()
    notes.reset()
    sample = Sample(Survey(bounds.records))
    ends, size = clock() + bounds.seconds, 0
    for polled in _polled(source):
        for batch in _cut(polled):
            sample.add(batch, bounds)
            size += batch.raw_bytes
            if sample.survey.records >= bounds.records or size >= bounds.bytes:
                break
        else:
            if clock() < ends:
                continue
        break
    else:
        sample.whole = True
    sample.detected = [each.group for each in islice(notes.noted(), 20) if each.topic == "detected"]
    _refuse_nothing(sample, source, bounds)
    return sample


def _polled(source: Source) -> Iterator[Polled]:
    """What one reader after another gives."""
    ledger = NothingSettled()
    for split in source.splits(ledger):
        yield from _of_split(source, split, ledger)


def _of_split(source: Source, split: Split, ledger: NothingSettled) -> Iterator[Polled]:
    reader = source.open(split, (), ledger)
    try:
        done = False
        while not done:
            polled = reader.poll(_PATIENCE)
            yield polled
            done = polled.done
    finally:
        reader.close()


def _cut(polled: Polled) -> Iterable[RecordBatch]:
    """The batches of records that were polled; of messages that hold several, all of them."""
    for batch in polled.batches:
        yield from (batch,) if polled.cut is None else polled.cut(batch)


def _refuse_nothing(sample: Sample, source: Source, bounds: Bounds) -> None:
    if sample.survey.records:
        return
    if sample.example is not None:
        count = sample.refused.total()
        raise ConfigError(
            f"{source.uri}: none of {count:,} records can be read: {sample.example.message}; say how "
            "it is written (--format, --encoding, --csv_…, --json_…)"
        )
    if sample.whole:
        raise ConfigError(f"{source.uri} has no records, so nothing can be proposed")
    raise ConfigError(
        f"{source.uri} had no record within {bounds.seconds:g} s, so nothing can be proposed"
    )
