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


def job_of(failure: Failure) -> int:
    return 1_000 + failure.origin.offset


def test_each_kind_is_told_of_once_and_without_the_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for dead in (
        [failure("malformed", 7), failure("malformed", 8)],
        [failure("malformed", 9), failure("too_deep", 10)],
        [],
    ):
        first_dead_letters.report(dead, job_of)
    told = [vars(record) for record in caplog.records]
    assert [(each["category"], each["offset"], each["job"]) for each in told] == [
        ("malformed", 7, 1007),
        ("too_deep", 10, 1010),
    ]
    assert "job 1007, source kafka://t, partition 3, offset 7" in caplog.text
    assert {(each["stage"], each["source"], each["partition"]) for each in told} == {
        ("parse", "kafka://t", "3")
    }
    assert {each["levelno"] for each in told} == {logging.WARNING}
    assert "payload" not in caplog.text


def test_the_number_of_kinds_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    kinds = first_dead_letters.MOST_KINDS + 50
    first_dead_letters.report([failure(f"category {number}") for number in range(kinds)], job_of)
    assert len(caplog.records) == first_dead_letters.MOST_KINDS


def test_a_new_run_tells_of_every_kind_again(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        first_dead_letters.reset()
        first_dead_letters.report([failure("malformed")], job_of)
    assert len(caplog.records) == 2


def test_a_record_of_a_message_that_holds_several_has_its_element_and_a_job_may_be_unknown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    origin = Origin("kafka://t", "3", 7, 2)
    dead = Failure(origin, b"", JSON, "parse", "malformed", "E", "", "")
    first_dead_letters.report([dead], lambda failure: None)
    assert "malformed: source kafka://t, partition 3, offset 7, element 2" in caplog.text
    assert vars(caplog.records[0])["element"] == 2


def test_no_job_is_looked_up_for_what_is_not_logged() -> None:
    asked: list[Failure] = []
    for offset in range(3):
        first_dead_letters.report([failure("malformed", offset)], lambda dead: asked.append(dead))
    assert [dead.origin.offset for dead in asked] == [0]
