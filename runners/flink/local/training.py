"""Jobs that have a Flink cluster load the classes that pipelines need: one that ends, and a stream.

python -m runners.flink.local.training FLINK_MASTER JOB_ENDPOINT WORKER_COMMAND
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker

from runners.flink.jobs import cancel
from runners.flink.rest import FlinkRest
from runners.flink.runner import RUNNER
from runners.flink.watch import started

_ELEMENTS = 8
_SECONDS = 60.0


class _Ranges(beam.RestrictionProvider):
    def initial_restriction(self, element: int) -> OffsetRange:
        return OffsetRange(0, element)

    def create_tracker(self, restriction: OffsetRange) -> OffsetRestrictionTracker:
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element: int, restriction: OffsetRange) -> int:
        return int(restriction.size())


_RANGE = beam.DoFn.RestrictionParam(_Ranges())


class _Count(beam.DoFn):
    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]
    def process(self, element: int, tracker: Any = _RANGE) -> Iterator[int]:
        """Yield a number, and leave the others for later."""
        position = tracker.current_restriction().start
        if tracker.try_claim(position):
            yield position
            tracker.defer_remainder(beam.utils.timestamp.Duration(1))


class _CountAll(beam.DoFn):
    def process(self, element: int, tracker: Any = _RANGE) -> Iterator[int]:
        """Yield all numbers below the element."""
        position = tracker.current_restriction().start
        while tracker.try_claim(position):
            yield position
            position += 1


def train(master: str, job_endpoint: str, worker: str) -> None:
    """Run both jobs.

    Raises:
        RunnerUnavailable: The cluster does not take them.
        RuntimeError: One of them has failed.
    """
    flags = ["--flink_master", master, "--job_endpoint", job_endpoint, "--job_name=classes"]
    flags += ["--environment_type=PROCESS", "--parallelism=1"]
    flags += ["--environment_config", json.dumps({"command": worker})]
    with RUNNER.pipeline(flags) as pipeline:
        _build(pipeline, _CountAll())
        pipeline.run().wait_until_finish()
    streams = [*flags, "--streaming", "--checkpointing_interval=500"]
    with RUNNER.pipeline(streams) as pipeline:
        _build(pipeline, _Count())
        submission = started(pipeline.run(), lambda text: False)
    cancel(FlinkRest(master), submission.job, seconds=_SECONDS)


def _build(pipeline: beam.Pipeline, count: beam.DoFn) -> None:
    numbers = pipeline | beam.Create(range(_ELEMENTS)) | beam.Reshuffle() | beam.ParDo(count)
    _ = numbers | beam.Map(lambda number: None)


if __name__ == "__main__":
    train(*sys.argv[1:4])
