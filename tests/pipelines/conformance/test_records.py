"""Records for checks lie one after the other, failures last."""

from __future__ import annotations

from pathlib import Path

from pipelines.conformance.ground import committed
from pipelines.conformance.records import batch_of, failure_of, outcomes, source_of
from sinks.sql import SqlSink
from tests.pipelines.conformance.grounds import sqlite_ground
from transforms.batch.record import Span


def test_a_batch_and_what_becomes_of_it(tmp_path: Path) -> None:
    with sqlite_ground(tmp_path) as ground:
        sink: SqlSink = ground.sink("events", key=["id"])
        batch = batch_of(
            sink, [{"id": "a"}, {"id": "b"}], 10, failures=[failure_of(sink, 12)], final=True
        )
        assert batch.span == Span(source_of(sink), "p", 10, 13, True)
        assert batch.raws == [b'{"id": "a"}', b'{"id": "b"}']
        assert outcomes(committed(sink, [batch])) == {"read": 3, "inserted": 2, "dead": 1}
