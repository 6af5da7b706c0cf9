"""What becomes of single records on their way from the bytes to the table."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.testing.trial import Sample, Trial
from transforms.batch.record import Format, Record
from transforms.envelope.config import UnwrapConfig
from transforms.errors import RetryLater
from transforms.mapping.mapping import Mapping
from transforms.route.route import Route
from transforms.route.routes import Routes
from transforms.steps.each_record import EachRecord

CUSTOMERS = Mapping.of([{"rename": {"Customer ID": "id"}}, {"cast": {"id": "integer"}}])
SCHEMA = '{"type": "object", "properties": {"id": {"type": "integer", "maximum": 9}}}'


def later(record: Record) -> Record:
    raise RetryLater("the service rests")


def twice(record: Record) -> list[Record]:
    return [record, record.with_value({**record.value, "again": True})]


def test_records_are_parsed_mapped_validated_and_handed_to_the_steps_in_this_order() -> None:
    trial = Trial(mapping=CUSTOMERS, schema=SCHEMA, steps=[EachRecord(twice, "Twice")])
    good, unmapped, invalid, unread = trial.outcomes(
        [{"Customer ID": "7"}, {"Customer ID": "x"}, {"Customer ID": "10"}, Sample(b"{")]
    )
    assert good.rows == ({"id": 7}, {"id": 7, "again": True})
    stages = [outcome.failure.stage for outcome in (unmapped, invalid, unread)]
    assert stages == ["map", "validate", "parse"]
    assert [outcome.rows for outcome in (unmapped, invalid, unread)] == [(), (), ()]


def test_each_record_has_the_origin_of_its_sample() -> None:
    names = ("source", "partition", "offset", "key", "header.kind", "timestamp", "run", "now")
    mapping = Mapping.of([{"set": {name: f"@{name}" for name in names}}])
    sample = Sample(
        b"{}", source="kafka://t", partition="3", offset=12, key=b"k",
        headers=(("kind", b"new"),), event_time=0.5,
    )  # fmt: skip
    trial = Trial(mapping=mapping, run="r1", now=datetime(2026, 1, 2, tzinfo=UTC))
    assert trial.outcome(sample).row == {
        "source": "kafka://t",
        "partition": "3",
        "offset": 12,
        "key": "k",
        "header.kind": "new",
        "timestamp": "1970-01-01T00:00:00.500000Z",
        "run": "r1",
        "now": "2026-01-02T00:00:00Z",
    }


def test_a_line_of_csv_is_converted_by_the_schema() -> None:
    sample = Sample(b"7,x", Format("csv", ("id", "name")))
    assert Trial(schema=SCHEMA).outcome(sample).row == {"id": 7, "name": "x"}


def test_a_record_that_would_be_tried_again_is_a_transient_failure() -> None:
    outcome = Trial(steps=[EachRecord(later, "Ask")]).outcome({"id": 1})
    assert (outcome.failure.stage, outcome.failure.transient) == ("Ask", True)


def test_the_row_of_a_rejected_record_raises_with_the_reason() -> None:
    outcome = Trial(mapping=CUSTOMERS).outcome({"Customer ID": "x"})
    with pytest.raises(ValueError, match=r"0 rows \(map: cast id: 'x' is not an integer\)"):
        _ = outcome.row


def test_a_record_without_a_failure_has_none_to_give() -> None:
    with pytest.raises(ValueError, match="0 failures and 1 rows"):
        _ = Trial().outcome({"id": 1}).failure


def test_no_samples_have_no_outcomes() -> None:
    assert Trial().outcomes([]) == []


def test_routes_give_each_row_its_table_after_the_steps() -> None:
    routes = Routes(
        [
            Route("orders", {"field": "type", "is": "order"}, schema='{"required": ["id"]}'),
            Route("entries", {"field": "type", "is": "order"}, name="copy"),
        ]
    )
    retyped = EachRecord(lambda r: r.with_value({**r.value, "type": r.value["kind"]}), "Retype")
    trial = Trial(routes=routes, steps=[retyped])
    whole, partial, lost = trial.outcomes(
        [{"id": 1, "kind": "order"}, {"kind": "order"}, {"id": 1, "kind": "robot"}]
    )
    row = {"id": 1, "kind": "order", "type": "order"}
    assert whole.by_table == {"orders": (row,), "entries": (row,)}
    assert list(partial.by_table) == ["entries"]
    assert (partial.failure.stage, partial.failure.target) == ("validate", "orders")
    assert (lost.failure.category, lost.failure.target) == ("no_route", None)


def test_what_matches_no_route_goes_to_the_table_with_its_schema() -> None:
    routes = Routes([Route("orders", {"field": "type", "is": "order"})])
    trial = Trial(routes=routes, table="rest", schema='{"required": ["id"]}')
    order, other, bad = trial.outcomes([{"type": "order"}, {"id": 1}, {"type": "x"}])
    assert list(order.by_table) == ["orders"], "the schema is not that of other tables"
    assert other.by_table == {"rest": ({"id": 1},)}
    assert (bad.failure.category, bad.failure.target) == ("schema", "rest")


def test_change_events_become_rows_and_deletes() -> None:
    routes = Routes((Route("orders", key=("id",), on_conflict="newest:@position"),))
    unwrap = UnwrapConfig("debezium", "delete", key=("id",))
    trial = Trial(mapping=CUSTOMERS, unwrap=unwrap, routes=routes, schema=None)
    row = {"Customer ID": "7", "name": "Ann"}
    created, deleted, tombstone, truncated = trial.outcomes(
        [
            {"op": "c", "before": None, "after": row, "source": {"lsn": 1}},
            {"op": "d", "before": row, "after": None, "source": {"lsn": 2}},
            Sample(b"", key=b'{"id":7}'),
            {"op": "t", "before": None, "after": None, "source": {"lsn": 3}},
        ]
    )
    assert (created.by_table, created.deleted) == ({"orders": ({"id": 7, "name": "Ann"},)}, ())
    assert deleted.rows == ()
    assert deleted.deleted_by_table == {"orders": ({"id": 7, "name": "Ann"},)}
    assert tombstone.deleted_by_table == {"orders": ({"id": 7},)}
    assert (truncated.failure.stage, truncated.failure.category) == ("envelope", "truncate")
