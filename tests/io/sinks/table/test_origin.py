"""The origin as the key: one number tells the records of one offset apart, two do not."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.dialects import sqlite

from sinks.table.origin import cells_of, without_ambiguous
from sinks.table.target import ELEMENT_COLUMNS, ORIGIN_COLUMNS
from transforms.batch.expansion import Branch, Expansion
from transforms.batch.record import JSON, RecordBatch, Span
from transforms.errors import SinkFailed

LINES = (Branch(0, 2, "Lines"),), (Branch(1, 2, "Lines"),)
WORD = (Branch(1, 2, "Lines"), Branch(0, 3, "Words"))


def batch(
    expansions: list[Expansion] | None, elements: list[int | None] | None = None
) -> RecordBatch:
    count = len(expansions or elements or ())
    return RecordBatch(
        Span("kafka://t", "0", 7, 8),
        JSON,
        [7] * count,
        [b"{}"] * count,
        values=[{"n": n} for n in range(count)],
        elements=elements,
        expansions=expansions,
    )


def numbers(*batches: RecordBatch) -> list[Any]:
    return cells_of(sqlite.dialect(), ELEMENT_COLUMNS, batches)["ingest_element"]


def test_the_number_is_that_of_the_element_or_of_one_of_several() -> None:
    whole = RecordBatch(Span("kafka://t", "0", 6, 7), JSON, [6], [b"{}"])
    assert numbers(batch(None, [0, 1, None])) == [0, 1, 0]
    assert numbers(batch([*LINES, ()])) == [0, 1, 0]
    assert numbers(batch([(), *LINES], [4, None, None])) == [4, 0, 1]
    assert numbers(whole, batch([*LINES])) == [0, 0, 1]


@pytest.mark.parametrize(
    "several", [batch([*LINES]), batch(None, [0, 1])], ids=["expansion", "elements"]
)
def test_a_key_without_the_column_would_make_them_one(several: RecordBatch) -> None:
    with pytest.raises(SinkFailed, match=r"would have one origin in the table; give a key, or"):
        cells_of(sqlite.dialect(), ORIGIN_COLUMNS, [several])


def test_a_record_with_two_numbers_fails_alone() -> None:
    left = without_ambiguous(batch([LINES[0], WORD, LINES[1]], [None, None, 3]))
    assert left.values == [{"n": 0}]
    steps, element = left.failures
    assert (steps.stage, steps.category, steps.transient) == ("write", "ambiguous_origin", False)
    assert steps.message == (
        "step 'Words' made several records of one of several that a step made, and the table has no "
        "key that tells them apart; give a key (--key FIELD) of the records' own"
    )
    assert element.message.startswith("step 'Lines' made several records of an element of its mess")
    assert [failure.origin.place for failure in left.failures] == ["7[1/2,0/3]", "7[3][1/2]"]
    assert left.read == 3


def test_a_batch_without_expansions_is_left_as_it_is() -> None:
    plain = batch(None, [0, 1])
    assert without_ambiguous(plain) is plain
