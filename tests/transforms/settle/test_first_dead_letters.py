"""The first dead letter of each kind is told of, and no other."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from transforms.batch.record import JSON, Failure, Origin
from transforms.settle import first_dead_letters


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    first_dead_letters.reset()
    yield
    first_dead_letters.reset()


def failure(category: str, offset: int = 0) -> Failure:
    origin = Origin("kafka://t", "3", offset)
    return Failure(origin, b"payload", JSON, "parse", category, "E", "quotes payload", "payload")


def test_each_kind_is_told_of_once_and_without_the_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first_dead_letters.report([failure("malformed", 7), failure("malformed", 8)])
    first_dead_letters.report([failure("malformed", 9), failure("too_deep", 10)])
    first_dead_letters.report([])
    told = [vars(record) for record in caplog.records]
    assert [(each["category"], each["offset"]) for each in told] == [
        ("malformed", 7),
        ("too_deep", 10),
    ]
    assert {(each["stage"], each["source"], each["partition"]) for each in told} == {
        ("parse", "kafka://t", "3")
    }
    assert {each["levelno"] for each in told} == {logging.WARNING}
    assert "payload" not in caplog.text


def test_the_number_of_kinds_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    kinds = first_dead_letters.MOST_KINDS + 50
    first_dead_letters.report([failure(f"category {number}") for number in range(kinds)])
    assert len(caplog.records) == first_dead_letters.MOST_KINDS


def test_a_new_run_tells_of_every_kind_again(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        first_dead_letters.reset()
        first_dead_letters.report([failure("malformed")])
    assert len(caplog.records) == 2
