from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest

from sources.files.avro.decoder import Decoder
from sources.files.avro.element_codec import ElementCodec

INNER = {"type": "record", "name": "I", "fields": [{"name": "q", "type": "string"}]}
TYPES: dict[str, Any] = {
    "text": "string",
    "maybe": ["null", "bytes"],
    "several": ["null", "long", "string"],
    "inner": INNER,
    "more": {"type": "array", "items": "I"},
    "last": "long",
}
VALUES = {
    "text": "abc",
    "maybe": b"xyz",
    "several": "uvw",
    "inner": {"q": "1"},
    "more": [{"q": "2"}],
    "last": 5,
}


class Marked(io.BytesIO):
    marked: int | None = None

    def mark(self) -> None:
        self.marked = self.tell()


@pytest.fixture
def codec() -> ElementCodec:
    fields = [{"name": name, "type": kind} for name, kind in TYPES.items()]
    schema = {"type": "record", "name": "r", "fields": fields}
    return Decoder(json.dumps(schema).encode()).codec


@pytest.fixture
def stored() -> Marked:
    fields = [{"name": name, "type": kind} for name, kind in TYPES.items()]
    data = Marked()
    schema: Any = {"type": "record", "name": "r", "fields": fields}
    fastavro.schemaless_writer(data, schema, VALUES)
    data.seek(0)
    return data


def test_passing_over_an_element_ends_where_reading_it_ends(
    codec: ElementCodec, stored: Marked
) -> None:
    codec.skip(stored)
    assert not stored.read()
    stored.seek(0)
    assert codec.read(stored)["last"] == 5
    assert not stored.read()


def test_fields_are_passed_over_and_read_one_by_one(codec: ElementCodec, stored: Marked) -> None:
    values = {}
    for name in TYPES:
        start = stored.tell()
        codec.skip_field(name, stored)
        end = stored.tell()
        stored.seek(start)
        values[name] = codec.read_field(name, stored)
        assert stored.tell() == end
    assert values == {**VALUES, "several": {"b2": "uvw"}}


@pytest.mark.parametrize(
    ("name", "content"), [("text", b"abc"), ("maybe", b"xyz"), ("several", b"uvw")]
)
def test_where_text_or_bytes_begin_is_marked(
    codec: ElementCodec, stored: Marked, name: str, content: bytes
) -> None:
    for field in TYPES:
        stored.marked = None
        codec.skip_field(field, stored)
        if field == name:
            assert stored.getvalue()[stored.marked :][:3] == content
            return


def test_a_length_or_a_branch_that_cannot_be_is_the_end(codec: ElementCodec) -> None:
    with pytest.raises(EOFError):
        codec.skip_field("text", Marked(b"\x01abc"))
    with pytest.raises(EOFError):
        codec.skip_field("maybe", Marked(b"\x08abc"))
