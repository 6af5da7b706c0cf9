"""Read the start of a source with the readers that a run has, and look at its fields; nothing is settled."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipelines.planning.no_ledger import NoLedger
from pipelines.planning.sample import Bounds, aside, sample
from pipelines.proposal.sampling.survey import Survey
from transforms import notes
from transforms.batch.record import Failure, Format, RecordBatch
from transforms.batch.splits import Source
from transforms.errors import ConfigError
from transforms.parse.parse import ParseConfig, parse

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
    """

    survey: Survey
    format: Format | None = None
    refused: Counter[str] = field(default_factory=Counter)
    example: Failure | None = None
    whole: bool = False
    detected: Sequence[str] = ()

    def add(self, batch: RecordBatch, config: ParseConfig) -> None:
        """Take note of a batch as it was read."""
        parsed = parse(batch, config)
        for failure in parsed.failures:
            self.example = self.example or failure
            self.refused[failure.category] += 1
        if parsed.values:
            self.format = self.format or parsed.format
            self.survey.add(parsed)


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
