"""Take a sample through the part of a pipeline between the source and the write, as a run does."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import apache_beam as beam

import transforms.batch.coders  # noqa: F401  registers the coder of RecordBatch
from pipelines.ingestion.config import IngestConfig
from pipelines.ingestion.run import shaped as shaped_by_run
from runners.runner import named
from transforms.batch.record import RecordBatch
from transforms.steps.attempt import close_steps
from transforms.steps.service import Waits

OUTAGE_SECONDS = 10.0
"""How long a step that is called waits for its service: somebody looks on."""


@dataclass(slots=True)
class Shaped:
    """What came out of it.

    Attributes:
        batches: In the order of the sample.
        seconds: From the first batch that went in to the last that came out.
    """

    batches: list[RecordBatch] = field(default_factory=list)
    seconds: float = 0.0


def shaped(
    batches: Sequence[RecordBatch], config: IngestConfig, schema: str, *, run: str, call_steps: bool
) -> Shaped:
    """Parse, map, validate and route ``batches``.

    Args:
        batches: What was read; each has its own span.
        config: The pipeline.
        schema: The default schema of the database, which labels of tables leave out.
        run: What ``@run`` stands for in mappings.
        call_steps: Whether the user's steps are called; otherwise records pass by them.

    Raises:
        SluiceError: A step ended the program, or its service is away.
    """
    token = str(uuid.uuid4())
    waits = Waits(config.write.backoff, min(config.write.outage_budget, OUTAGE_SECONDS))
    steps = config.steps if call_steps else ()
    try:
        with named("DirectRunner").pipeline(()) as pipeline:
            read = (
                pipeline
                | "Sample" >> beam.Create(list(batches), reshuffle=False)
                | "Begin" >> beam.ParDo(_BeginFn(token)).with_output_types(RecordBatch)
            )
            good = shaped_by_run(read, config, steps, run=run, waits=waits)
            if config.routes is not None:
                from transforms.route.assign import AssignRoutes  # with mappings

                home = config.sql.table_name.label(schema)
                good = good | "Route" >> AssignRoutes(config.routes, home, schema, run)
            _ = good | "Collect" >> beam.ParDo(_CollectFn(token))
            pipeline.run().wait_until_finish()
    finally:
        close_steps()
        result = _RESULTS.pop(token, Shaped())
        began = _BEGAN.pop(token, None)
    if began is not None:
        result.seconds -= began
    order = {_place(batch): number for number, batch in enumerate(batches)}
    result.batches.sort(key=lambda batch: order[_place(batch)])
    return result


_RESULTS: dict[str, Shaped] = {}
"""What has come out of the samples that are on their way. The runner is in this process."""

_BEGAN: dict[str, float] = {}


class _BeginFn(beam.DoFn):
    """Takes note of when the first batch comes."""

    def __init__(self, token: str) -> None:
        self._token = token

    def process(self, batch: RecordBatch) -> Sequence[RecordBatch]:
        _BEGAN.setdefault(self._token, time.monotonic())
        return (batch,)


class _CollectFn(beam.DoFn):
    """Keeps what comes out."""

    def __init__(self, token: str) -> None:
        self._token = token

    def process(self, batch: RecordBatch) -> None:
        result = _RESULTS.setdefault(self._token, Shaped())
        result.batches.append(batch)
        result.seconds = time.monotonic()


def _place(batch: RecordBatch) -> tuple[str, str, int, int]:
    span = batch.span
    return span.source, span.partition, span.start, span.end
