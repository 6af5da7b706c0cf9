from __future__ import annotations

from collections.abc import Sequence

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that

from tests.transforms.mapping.mapped import batch_of
from transforms import instruments
from transforms.batch.record import RecordBatch
from transforms.errors import ConfigError
from transforms.mapping.mapping import Mapping
from transforms.route.assign import AssignRoutes
from transforms.route.route import Route
from transforms.route.routes import Routes

ORDERS = Route("public.orders", {"field": "type", "is": "order"})


def test_it_is_a_step_over_batches_whose_targets_travel() -> None:
    def check(batches: Sequence[RecordBatch]) -> None:
        (batch,) = batches
        assert batch.targets == ["orders"]
        assert batch.values == [{"type": "order", "r": "run-1"}]
        assert [failure.category for failure in batch.failures] == ["no_route"]

    orders = Route(ORDERS.table, ORDERS.when, mapping=Mapping.of([{"set": {"r": "@run"}}]))
    routes = Routes([orders])
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        batches = pipeline | beam.Create([batch_of([{"type": "order"}, {"type": "x"}])])
        routed = batches | AssignRoutes(routes, "home", "public", run="run-1") | beam.Reshuffle()
        assert_that(routed, check)
    assert instruments.measured().counters["stage_seconds"]["route",] > 0


def test_the_run_has_to_be_there_if_it_is_asked_for() -> None:
    routes = Routes([Route("t", mapping=Mapping.of([{"set": {"r": "@run"}}]))])
    with pytest.raises(ConfigError, match="asks for @run"):
        AssignRoutes(routes)


def test_two_spellings_of_one_table_must_agree() -> None:
    routes = Routes([ORDERS, Route("orders", key=("id",))])
    with pytest.raises(ConfigError, match="different key"):
        AssignRoutes(routes, default_schema="public")
