from __future__ import annotations

import pytest

from sources.files.failures import (
    EndsEarly,
    FailedReader,
    may_pass,
    object_failure,
)
from sources.files.framing import too_large
from transforms.batch.record import JSON, Origin
from transforms.batch.splits import Split
from transforms.errors import ObjectFailed

ORIGIN = Origin("file:///x", "v", 7)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (EndsEarly("cut off", "object_corrupt"), True),
        (ObjectFailed("changed", "object_changed"), True),
        (ObjectFailed("damaged", "object_corrupt"), False),
        (ObjectFailed("gone", "object_missing"), False),
    ],
)
def test_what_a_writer_may_still_put_right(error: ObjectFailed, passes: bool) -> None:
    assert may_pass(error) is passes


def test_the_failure_of_an_object_names_one_exception_whatever_its_kind() -> None:
    failure = object_failure(ORIGIN, JSON, EndsEarly("cut off", "object_corrupt"))
    assert (failure.origin, failure.raw, failure.stage) == (ORIGIN, b"", "read")
    assert (failure.category, failure.exception) == ("object_corrupt", "ObjectFailed")
    assert failure.message == "cut off"


def test_the_failure_of_a_record_keeps_the_bytes_that_are_left_of_it() -> None:
    failure = too_large(7, b"head", 5_000, 1_000, "d1ge57").failure(ORIGIN, JSON)
    assert (failure.origin, failure.raw, failure.stage) == (ORIGIN, b"head", "read")
    assert (failure.category, failure.exception) == ("too_large", "RecordTooLarge")
    assert "5,000 bytes, limit 1,000; only its first 4 bytes" in failure.message
    assert "d1ge57" in failure.message


def test_an_object_that_cannot_be_read_at_all_is_one_failure_that_settles_it() -> None:
    split = Split("s", "file:///x", "v", size=9, start=2)
    reader = FailedReader(split, ObjectFailed("no", "unknown_format"))
    assert reader.backlog() == 9
    polled = reader.poll(0)
    (batch,) = polled.batches
    (failure,) = batch.failures
    assert failure.origin == Origin("file:///x", "v", 2)
    assert (batch.span.start, batch.span.end, batch.span.final) == (2, 3, True)
    assert (polled.done, polled.position, reader.backlog()) == (True, (("", 3),), 0)
    again = reader.poll(0)
    assert (again.batches, again.position, again.done) == ((), polled.position, True)
    reader.close()
