from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from sinks.dead_letters.json_lines import chunks, json_line
from tests.io.sinks.dead_letters.dead_letter import failure
from transforms.batch.expansion import Branch
from transforms.batch.record import Failure, Format, Origin

AT = datetime(2026, 1, 31, 12, 0, 0, 5000, tzinfo=UTC)


def written(dead: Failure) -> dict[str, Any]:
    line = json_line("orders", dead, AT)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    document: dict[str, Any] = json.loads(line)
    return document


def test_it_has_all_that_is_known() -> None:
    dead = failure(
        raw=b"1;\xc3\xa9\n",
        origin=Origin("file:///a.csv", "v1", 12),
        format=Format("csv", ("a", "b"), ";"),
        sqlstate="23505",
        headers=(("trace", b"x"), ("trace", b"\xff"), ("none", None)),
    )
    assert written(dead) == {
        "at": "2026-01-31T12:00:00.005+00:00",
        "target": "orders",
        "source": "file:///a.csv",
        "partition": "v1",
        "offset": 12,
        "stage": "validate",
        "category": "schema",
        "exception": "Reject",
        "message": "id is not a string",
        "sqlstate": "23505",
        "stack": "Traceback: …",
        "event_time": 1_700_000_000.123,
        "key": {"text": "k"},
        "raw": {"text": "1;é\n"},
        "headers": [
            {"name": "trace", "value": {"text": "x"}},
            {"name": "trace", "value": {"base64": "/w=="}},
            {"name": "none", "value": None},
        ],
        "format": {"name": "csv", "columns": ["a", "b"], "delimiter": ";"},
    }


def test_an_element_of_a_message_has_its_number() -> None:
    assert written(failure(origin=Origin("kafka://t", "0", 12, 3)))["element"] == 3
    assert "element" not in written(failure(origin=Origin("kafka://t", "0", 12)))


def test_one_of_several_names_its_expansion() -> None:
    origin = Origin("kafka://t", "0", 12, expansion=(Branch(2, 5, "Lines"), Branch(0, 3, "Words")))
    assert written(failure(origin=origin))["expansion"] == "2/5:Lines,0/3:Words"
    assert "expansion" not in written(failure(origin=Origin("kafka://t", "0", 12)))


def test_bytes_that_are_not_text_come_back_from_base64() -> None:
    every = bytes(range(256))
    document = written(failure(raw=every, key=every))
    assert base64.b64decode(document["raw"]["base64"]) == every
    assert base64.b64decode(document["key"]["base64"]) == every


def test_nothing_differs_from_empty() -> None:
    document = written(failure(raw=b"", key=None, event_time=None))
    assert document["raw"] == {"text": ""}
    assert document["key"] is None
    assert document["event_time"] is None
    assert written(failure(key=b""))["key"] == {"text": ""}


def test_a_lone_surrogate_does_not_lose_the_letter() -> None:
    dead = failure(message="a\ud800b", headers=(("n\udfff", b"\xff"),), raw=b"\xff")
    document = written(dead)
    assert document["message"] == "a?b"
    assert document["headers"] == [{"name": "n?", "value": {"base64": "/w=="}}]
    assert document["raw"] == {"base64": "/w=="}


def test_chunks_keep_order_and_bound_what_is_held() -> None:
    lines = [b"x" * length + b"\n" for length in (1, 2, 9, 3, 1)]
    joined = list(chunks(lines, 5))
    assert b"".join(joined) == b"".join(lines)
    assert [len(each) for each in joined] == [5, 10, 4, 2]
    assert list(chunks([], 5)) == []
