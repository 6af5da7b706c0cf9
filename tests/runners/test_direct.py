from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import apache_beam as beam
import psutil
import pytest
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from runners import direct
from tests.fakes import ListSource, NoLedger
from transforms.read import drain
from transforms.read.read import ReadSplits
from transforms.read.reading import Pacing


def test_the_runner_is_named_and_not_chosen_by_beam() -> None:
    with direct.RUNNER.pipeline([]) as pipeline:
        assert type(pipeline.runner) is FnApiRunner


def test_beams_own_flags_reach_the_pipeline() -> None:
    with direct.RUNNER.pipeline(["--no_pipeline_type_check"]) as pipeline:
        assert pipeline.options.get_all_options()["pipeline_type_check"] is False


BUNDLES = 500
DEPTH = 400
"""Calls that Python nests: fewer than there are bundles. With one level per bundle, counters do not add up."""

RESIDENT: list[int] = []
"""Memory of this process at every bundle."""


class CountBundles(beam.DoFn):
    def process(self, element: object) -> None:
        pass

    def finish_bundle(self) -> None:
        Metrics.counter("test", "bundles").inc()
        Metrics.gauge("test", "last").set(len(RESIDENT) + 1)
        RESIDENT.append(psutil.Process().memory_info().rss)
        if len(RESIDENT) >= BUNDLES:
            drain.request()


@pytest.fixture
def undrained() -> Iterator[None]:
    yield
    drain.reset()


@pytest.fixture
def depth() -> Iterator[None]:
    before = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(before)


@pytest.mark.slow
@pytest.mark.usefixtures("undrained", "depth")
def test_a_stream_of_many_bundles_keeps_nothing_of_them_and_its_counters_add_up() -> None:
    RESIDENT.clear()
    source = ListSource("bundles", endless=True)
    gc.collect()
    with direct.RUNNER.pipeline([]) as pipeline:
        batches = pipeline | ReadSplits(
            [source], NoLedger(), Pacing(bundle_seconds=0.0), streaming=True
        )
        _ = batches | beam.ParDo(CountBundles())
        result = pipeline.run()
        result.wait_until_finish()
        sys.setrecursionlimit(DEPTH)
        metrics = result.metrics().query(MetricsFilter().with_namespace("test"))
    (counter,), (gauge,) = metrics["counters"], metrics["gauges"]
    assert gauge.result.value == len(RESIDENT), "the newest"
    assert counter.result == len(RESIDENT) >= BUNDLES
    # 25 KB a bundle (10 MB in all) when Beam keeps counters or gauges; nothing when merged.
    assert RESIDENT[-1] - RESIDENT[100] < 4 << 20
