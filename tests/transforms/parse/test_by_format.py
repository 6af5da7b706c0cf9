"""Each format has its reader; whole batches are tried in ``test_parse``."""

from __future__ import annotations

import pytest

from transforms.batch.record import JSON, Format
from transforms.errors import Reject
from transforms.parse.by_format import readers

CSV = Format("csv", columns=("id", "name"))


@pytest.mark.parametrize(
    ("format_", "raw", "value"),
    [
        (JSON, b'{"id": 1}', {"id": 1}),
        (Format("json", encoding="utf-16"), '{"id": "ä"}'.encode("utf-16"), {"id": "ä"}),
        (CSV, b"1,ann", {"id": "1", "name": "ann"}),
        (Format("text"), b"hello", {"payload": "hello"}),
        (Format("parquet"), b'[{"b":"/w=="},{"b":"bytes"}]', {"b": b"\xff"}),
        (Format("avro"), b'{"id": 1}', {"id": 1}),
    ],
)
def test_one_and_many_records_are_read_alike(format_: Format, raw: bytes, value: object) -> None:
    one, many = readers(format_, 100, 10)
    assert one(raw) == value
    assert many([raw, raw]) in ([value, value], None)
    too_small, _ = readers(format_, 4, 10)
    with pytest.raises(Reject, match="limit"):
        too_small(raw)


@pytest.mark.parametrize("format_", [JSON, CSV, Format("avro")])
def test_what_cannot_be_read_is_quoted_only_if_it_may_be(format_: Format) -> None:
    raw = b'{"id": secret' if format_.name != "csv" else b'1,"secret'
    for quotes in (True, False):
        one, many = readers(format_, 100, 10, quotes=quotes)
        with pytest.raises(Reject) as rejected:
            one(raw)
        assert quotes or "secret" not in str(rejected.value)
        assert many([raw]) is None


def test_an_unknown_format_is_a_defect() -> None:
    with pytest.raises(ValueError, match="unknown record format 'xml'"):
        readers(Format("xml"), 100, 10)
