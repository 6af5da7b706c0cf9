from __future__ import annotations

import pytest

from transforms.batch.record import Format, RecordBatch, Span
from transforms.errors import Reject
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.text import parse_text


def test_the_text_is_one_field_as_it_is() -> None:
    assert parse_text(b'  {"a": 1}\n', 100) == {"payload": '  {"a": 1}\n'}
    assert parse_text(b"", 100) == {"payload": ""}


@pytest.mark.parametrize(
    ("raw", "category"), [(b"\xff", "invalid_utf8"), (b"x" * 101, "too_large")]
)
def test_what_is_no_text_or_too_long_is_refused(raw: bytes, category: str) -> None:
    with pytest.raises(Reject) as refused:
        parse_text(raw, 100)
    assert refused.value.category == category


def test_a_batch_of_texts_is_parsed_and_a_bad_one_is_its_own_failure() -> None:
    batch = RecordBatch(Span("s", "p", 0, 3), Format("text"), [0, 1, 2], [b"a", b"\xff", b"[1]"])
    parsed = parse(batch, ParseConfig())
    assert parsed.values == [{"payload": "a"}, {"payload": "[1]"}]
    assert [failure.category for failure in parsed.failures] == ["invalid_utf8"]
