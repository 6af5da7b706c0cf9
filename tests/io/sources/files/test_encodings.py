from __future__ import annotations

import codecs

import pytest

from sources.files.encodings import (
    DecodedStream,
    PeekedStream,
    encoding_of,
    is_single_byte,
    marked_encoding,
)
from sources.files.failures import EndsEarly
from tests.io.sources.files.blocks import Blocks
from transforms.errors import ConfigError, ObjectFailed


def read(stream: DecodedStream | PeekedStream) -> bytes:
    return b"".join(iter(stream.read, b""))


@pytest.mark.parametrize("name", ["utf8", "UTF-8", "utf-8-sig", "ascii"])
def test_utf_8_needs_no_conversion(name: str) -> None:
    assert encoding_of(name) == ""


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13", "", "a\0b"])
def test_what_is_not_an_encoding_of_text_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="--encoding"):
        encoding_of(name)


@pytest.mark.parametrize(
    ("encoding", "single"),
    [
        ("latin-1", True),
        ("cp1252", True),
        ("koi8-r", True),
        ("utf-16", False),
        ("cp037", False),  # EBCDIC
        ("utf-7", False),
    ],
)
def test_records_are_cut_in_stored_bytes_only_where_ascii_is_ascii(
    encoding: str, single: bool
) -> None:
    assert is_single_byte(encoding) is single


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_names_the_encoding(encoding: str) -> None:
    assert marked_encoding("\ufeffid".encode(encoding)) == encoding


def test_the_mark_of_utf_8_and_no_mark_name_none() -> None:
    assert marked_encoding(codecs.BOM_UTF8 + b"id") == ""
    assert marked_encoding(b"") == ""


def test_a_stream_that_was_peeked_at_is_read_from_its_start() -> None:
    stream = PeekedStream(Blocks(b"ab", b"c"))
    assert stream.head == b"ab"
    assert read(stream) == b"abc"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-be", "gbk", "shift_jis"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_text_arrives_in_utf_8_however_its_blocks_are_cut(encoding: str, size: int) -> None:
    text = "id,name\n1,中文\n" * 3
    data = text.encode(encoding)
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    assert read(DecodedStream(Blocks(*blocks), encoding, "file:///x")) == text.encode()


def test_a_lone_surrogate_spoils_its_own_record_only() -> None:
    data = "a\nb\ud800\nc\n".encode("utf-16-le", "surrogatepass")
    lines = read(DecodedStream(Blocks(data), "utf-16-le", "file:///x")).split(b"\n")
    assert (lines[0], lines[2]) == (b"a", b"c")
    with pytest.raises(UnicodeDecodeError):
        lines[1].decode()


def test_bytes_that_are_not_text_fail_the_object() -> None:
    with pytest.raises(ObjectFailed, match="file:///x is not gbk") as failed:
        read(DecodedStream(Blocks(b"\xff\xff"), "gbk", "file:///x"))
    assert not isinstance(failed.value, EndsEarly)


def test_a_character_that_is_cut_at_the_end_may_still_be_completed() -> None:
    with pytest.raises(EndsEarly):
        read(DecodedStream(Blocks("中".encode("gbk")[:1]), "gbk", "file:///x"))
