from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from transforms.batch.expansion import Branch
from transforms.batch.pieces import RECORDS, in_pieces, joined
from transforms.batch.record import JSON, RecordBatch, Span
from transforms.batch.several import Several
from transforms.errors import Reject
from transforms.steps.apply import Drop, apply_to_values

COUNT = 3 * RECORDS + 7


def batch_of(count: int, **more: Any) -> RecordBatch:
    raws = [b"%d" % number for number in range(count)]
    return RecordBatch(Span("file:///f", "v", 0, count), JSON, range(count), raws, **more)


def step(piece: RecordBatch) -> RecordBatch:
    """Numbers of the bytes: some fail, some are left out, one becomes three."""

    def one(raw: bytes) -> Any:
        number = int(raw)
        if number % 100 == 7:
            raise Reject("seven")
        if number % 100 == 8:
            raise Drop
        return Several([number] * 3) if number == 2 * RECORDS + 1 else number

    return apply_to_values(piece, piece.raws, one, "s")


@pytest.mark.parametrize("count", [0, 1, RECORDS, RECORDS + 1, COUNT])
def test_a_batch_in_pieces_is_what_it_is_as_a_whole(count: int) -> None:
    batch = batch_of(
        count,
        times=[float(number) for number in range(count)],
        keys=[b"k%d" % number for number in range(count)],
        headers=[(("h", b"%d" % number),) for number in range(count)],
        elements=[number % 2 or None for number in range(count)],
        targets=[f"t{number % 3}" for number in range(count)],
    )
    pieces, whole = in_pieces(batch, step), step(batch)
    columns = ("offsets", "raws", "values", "times", "keys", "headers", "elements", "expansions")
    for name in (*columns, "targets"):
        assert _listed(getattr(pieces, name)) == _listed(getattr(whole, name)), name
    places = [failure.origin for failure in pieces.failures]
    assert places == [failure.origin for failure in whole.failures]
    assert (pieces.filtered, pieces.read, pieces.expanded) == (
        whole.filtered,
        whole.read,
        whole.expanded,
    )


def _listed(column: Any) -> Any:
    return None if column is None else list(column)


def test_a_step_sees_pieces_and_what_failed_before_stays() -> None:
    failed = step(batch_of(8)).failures
    batch = replace(batch_of(COUNT), failures=failed, filtered=(9,))
    sizes = []

    def seen(piece: RecordBatch) -> RecordBatch:
        sizes.append(len(piece.raws))
        return piece.with_values(list(piece.raws))

    result = in_pieces(batch, seen)
    assert sizes == [RECORDS] * 3 + [7]
    assert (result.failures, result.filtered) == (failed, (9,))
    assert result.values == batch.raws
    assert list(result.offsets) == list(batch.offsets)


def test_a_step_is_given_the_failures_of_before_once() -> None:
    failed = step(batch_of(8)).failures
    batch = replace(batch_of(COUNT), failures=failed, filtered=(3,))
    seen: list[tuple[int, int]] = []

    def look(piece: RecordBatch) -> RecordBatch:
        seen.append((len(piece.failures), len(piece.filtered)))
        return replace(piece, failures=(), filtered=())

    result = in_pieces(batch, look)
    assert seen == [(1, 1), (0, 0), (0, 0), (0, 0)]
    assert (result.failures, result.filtered) == ((), ())


def test_batches_are_joined_in_their_order() -> None:
    first, second = (
        step(batch_of(9)),
        replace(batch_of(1), values=["x"], expansions=[(Branch(0, 2, "s"),)]),
    )
    whole = joined([first, second])
    assert whole.values == [*range(7), "x"]
    assert whole.expansions == [*[()] * 7, (Branch(0, 2, "s"),)]
    assert (whole.failures, whole.filtered) == (first.failures, (8,))
