from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.transforms.mapping.mapped import SOURCE, batch_of, mapped, mapped_batch


def test_each_record_gets_where_it_came_from() -> None:
    values = {
        "source": "@source",
        "partition": "@partition",
        "offset": "@offset",
        "key": "@key",
        "at": "@timestamp",
        "h": "@header.h",
        "run": "@run",
        "dt": "@path.dt",
    }
    outcomes = mapped(
        [{"set": values}],
        *({}, {}),
        keys=[b"k", None],
        times=[1718000000.123, 0.0],
        headers=[(("h", b"1"), ("g", b"x"), ("h", b"2")), ()],
    )
    shared = {"source": SOURCE, "partition": "v1", "run": "run-1", "dt": "2026-01-01"}
    assert outcomes == [
        {**shared, "offset": 0, "key": "k", "at": "2024-06-10T06:13:20.123000Z", "h": "2"},
        {**shared, "offset": 1, "key": None, "at": "1970-01-01T00:00:00Z", "h": None},
    ]


def test_what_a_source_does_not_have_is_null() -> None:
    values = {"k": "@key", "t": "@timestamp", "h": "@header.h", "e": "@element"}
    assert mapped([{"set": values}], {}) == [dict.fromkeys(values)]


def test_elements_of_a_message_have_their_number() -> None:
    assert mapped([{"set": {"e": "@element"}}], {}, {}, elements=[None, 3]) == [
        {"e": None},
        {"e": 3},
    ]


def test_now_is_one_time_for_a_batch() -> None:
    first, second = mapped([{"set": {"now": "@now"}}], {}, {})
    assert first == second
    assert first["now"].endswith("Z")


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("s3://b/dt=2026-01-01/hour=5/x.jsonl", "5"),
        ("s3://b/hour=1/hour=2/x.jsonl", "2"),
        ("s3://b/hour=a%3Ab/x.jsonl", "a:b"),
        ("file:///b/hour%3D5/x.jsonl", "5"),
        ("file:///b/hour%3Da%253Ab/x.jsonl", "a:b"),
        ("s3://b/hour=/x.jsonl", ""),
        ("s3://b/hour=__HIVE_DEFAULT_PARTITION__/x.jsonl", None),
        ("s3://b/rush-hour=5/x.jsonl", "refused"),
        ("s3://b/hour=5.jsonl", "refused"),
        ("kafka://topic", "refused"),
    ],
)
def test_a_value_of_the_path_is_that_of_a_folder(source: str, value: Any) -> None:
    batch = batch_of([{}])
    batch = replace(batch, span=replace(batch.span, source=source))
    result = mapped_batch([{"set": {"hour": "@path.hour"}}], batch)
    if value == "refused":
        assert [failure.message for failure in result.failures] == [
            f"set @path.hour: no folder hour=… is in the path of {source}"
        ]
    else:
        assert result.values == [{"hour": value}]


@pytest.mark.parametrize("what", ["@key", "@header.h"])
def test_bytes_that_are_no_text_refuse_their_record_alone(what: str) -> None:
    outcomes = mapped(
        [{"set": {"a": what}}],
        *({}, {}),
        keys=[b"\xff", b"k"],
        headers=[(("h", b"\xff"),), (("h", b"k"),)],
    )
    assert outcomes == [f"set {what}: it is not UTF-8 text", {"a": "k"}]


def test_a_time_beyond_the_calendar_is_refused() -> None:
    (outcome,) = mapped([{"set": {"at": "@timestamp"}}], {}, times=[1e15])
    assert outcome == "set @timestamp: it is beyond the years 1 to 9999"
