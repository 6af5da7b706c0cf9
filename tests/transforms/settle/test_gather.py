"""A transaction begins with the first bound that any table reaches, and takes all that waits."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from tests.fakes import batch_of, record_of
from transforms.batch.expansion import Branch
from transforms.batch.record import Attempt, Claim, Failure, RecordBatch
from transforms.errors import Reject
from transforms.settle.bounds import Bounds, TableBounds
from transforms.settle.gather import Gather, Waiting

TABLES = TableBounds(
    home=Bounds(records=50),
    tables={
        "rows": Bounds(records=3),
        "bytes": Bounds(bytes=10),
        "age": Bounds(age=2.0),
        "free": Bounds(),
    },
)


def gather(records: int = 1_000, bytes_: int = 1_000_000, bounds: TableBounds = TABLES) -> Gather:
    return Gather(records, bytes_, bounds)


def batch(*targets: str, raw: bytes = b"1") -> RecordBatch:
    return replace(batch_of(*[raw] * len(targets)), targets=targets)


def add(gather: Gather, batch: RecordBatch, now: float = 0.0) -> bool:
    """Whether a transaction is due once ``batch`` waits too."""
    gather.add(Waiting(batch, 0, ()), now)
    return gather.due(now)


class TestBounds:
    def test_without_bounds_a_lone_batch_is_due(self) -> None:
        assert add(gather(bounds=TableBounds()), batch_of(b"1"))

    def test_a_table_without_bounds_is_due_at_once_among_others(self) -> None:
        assert add(gather(), batch("rows", "free"))

    def test_rows_are_counted_for_each_table_over_all_batches(self) -> None:
        waiting = gather()
        assert not add(waiting, batch("rows", "rows", "bytes"))
        assert not add(waiting, batch("bytes", "age", "age"))
        assert add(waiting, batch("rows"))

    def test_bytes_are_those_of_the_table(self) -> None:
        waiting = gather()
        assert not add(waiting, batch("bytes", "rows", raw=b"123456"))
        assert not add(waiting, batch("bytes", raw=b"123"))
        assert add(waiting, batch("bytes", raw=b"1"))

    def test_records_that_share_their_bytes_have_them_once_in_each_table(self) -> None:
        raw = b"123456"
        several = replace(
            batch_of(raw, raw, raw),
            targets=("bytes", "bytes", "age"),
            expansions=[(Branch(n, 3, "Lines"),) for n in range(3)],
        )
        waiting = gather()
        assert not add(waiting, several)
        assert add(waiting, replace(several, raws=[b"4567"] * 3))

    def test_the_age_is_that_of_the_first_row_of_the_table(self) -> None:
        waiting = gather()
        assert not add(waiting, batch("rows"), now=100.0)
        assert not add(waiting, batch("age"), now=101.0)
        assert not add(waiting, batch("age"), now=102.5)
        assert not waiting.due(102.9)
        assert waiting.due(103.0)

    def test_a_batch_of_another_table_looks_at_the_age_too(self) -> None:
        waiting = gather()
        add(waiting, batch("age"), now=1.0)
        assert add(waiting, batch("rows"), now=3.0)

    def test_records_without_a_route_have_the_bounds_of_home(self) -> None:
        waiting = gather()
        assert not add(waiting, batch_of(*[b"1"] * 49))
        assert add(waiting, batch_of(b"1"))

    def test_tables_that_nobody_named_have_the_bounds_of_others(self) -> None:
        waiting = gather(bounds=replace(TABLES, home=Bounds(), others=Bounds(records=50)))
        assert not add(waiting, batch(*["new"] * 49))
        assert not add(waiting, batch("newer")), "each table is counted for itself"
        assert add(waiting, batch("new"))

    def test_what_failed_with_good_records_does_not_count_for_a_table(self) -> None:
        unrouted = gather(bounds=replace(TABLES, home=Bounds()))
        assert not add(unrouted, broken(batch("rows")))

    def test_a_batch_without_a_good_record_counts_for_home(self) -> None:
        lost = broken(batch("rows")).keep((), None)
        assert not add(gather(), lost)
        assert add(gather(bounds=replace(TABLES, home=Bounds())), lost)

    def test_an_attempt_at_jobs_is_due_at_once(self) -> None:
        claim = Claim("c", {(0, None, ()): Attempt(1, 2, 5, "run")}, "p", "rows")
        assert add(gather(), replace(batch("rows"), claim=claim))

    def test_it_is_urgent_from_the_last_claim_on_until_it_is_taken(self) -> None:
        attempt = Attempt(1, 2, 5, "run")
        waiting = gather()
        for last in (False, True):
            claim = Claim("c", {(0, None, ()): attempt}, "p", "rows", last)
            add(waiting, replace(batch("rows"), claim=claim))
            assert waiting.urgent is last
        add(waiting, batch("rows"))
        assert waiting.urgent
        waiting.take()
        assert not waiting.urgent


class TestAllThatWaits:
    def test_it_is_due_until_it_is_taken_and_then_begins_anew(self) -> None:
        waiting = gather()
        assert add(waiting, batch("rows", "rows", "rows", "age"))
        assert add(waiting, batch("bytes"))
        assert [len(each.batch.raws) for each in waiting.take()] == [4, 1]
        assert (waiting.records, waiting.bytes, bool(waiting)) == (0, 0, False)
        assert not add(waiting, batch("rows", "rows"), now=1_000.0)

    def test_the_general_bounds_hold_whatever_the_tables_wait_for(self) -> None:
        by_records, by_bytes = gather(records=4), gather(bytes_=4)
        for few in (by_records, by_bytes):
            assert not add(few, batch("rows", "age"))
            assert not few.full
            assert add(few, batch("bytes", "age"))
            assert few.full
            assert not few.overfull

    def test_it_is_overfull_with_twice_as_much(self) -> None:
        waiting = gather(records=2)
        add(waiting, batch("rows", "age", "bytes"))
        assert not waiting.overfull
        add(waiting, batch("age"))
        assert waiting.overfull

    def test_it_begins_as_soon_as_the_rows_of_one_table_would_alone(self) -> None:
        """However the rows of two tables are mixed, the first bound that one reaches decides."""
        bounds = TableBounds(tables={"a": Bounds(records=3), "b": Bounds(records=2)})
        for order in product("ab", repeat=4):
            waiting = gather(bounds=replace(bounds, home=Bounds(records=99)))
            begun = [add(waiting, batch(label)) for label in order]
            expected = [order[:n].count("a") >= 3 or order[:n].count("b") >= 2 for n in range(1, 5)]
            assert begun == expected, order


def broken(batch: RecordBatch) -> RecordBatch:
    """``batch`` with one more record, which has failed before the routes."""
    failure = Failure.of(record_of(b"?"), "parse", "malformed", Reject("no"))
    return replace(batch, failures=(failure,))
