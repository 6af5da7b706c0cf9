from __future__ import annotations

import bz2
import gzip
import lzma
import struct

import cramjam
import lz4.frame
import pytest
import zstandard

from sources.files.magic import compression_by, compression_of, is_text, kind_of
from transforms.errors import ObjectFailed

DATA = b'{"id": 1}\n' * 100
COMPRESSED = {
    "gzip": gzip.compress(DATA),
    "zstd": zstandard.compress(DATA),
    "bz2": bz2.compress(DATA),
    "lz4": lz4.frame.compress(DATA),
    "snappy": bytes(cramjam.snappy.compress(DATA)),
    "xz": lzma.compress(DATA),
}
SKIPPABLE = b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"meta"


@pytest.mark.parametrize("name", COMPRESSED)
def test_the_first_bytes_decide_against_name_and_header(name: str) -> None:
    assert compression_of(COMPRESSED[name]) == name
    assert compression_by(COMPRESSED[name], "", "", "u") == name
    assert compression_by(COMPRESSED[name], "zstd", "gzip", "u") == name


@pytest.mark.parametrize("name", ["zstd", "lz4"])
def test_a_frame_without_data_may_come_first(name: str) -> None:
    assert compression_of(SKIPPABLE + COMPRESSED[name]) == name


@pytest.mark.parametrize(
    "text", [b"BZh,name\n", b"PAR,1", b"id,x\n", b"(x", b"ORCID,n", b"\xff\xfei\0"]
)
def test_text_is_not_taken_for_compressed(text: bytes) -> None:
    assert compression_of(text) == ""
    assert kind_of(text) == ""
    assert compression_by(text, "gzip", "", "u") == ""
    assert compression_by(text, "", "br", "u") == ""


@pytest.mark.parametrize("head", [b"", b"\0\0\0", b"\x1f", b"\x1f\x8b", b"\0\0\x1f\x8b\x08"])
def test_what_may_still_be_gzip_is_left_to_its_name(head: bytes) -> None:
    assert compression_by(head, "gzip", "", "u") == "gzip"


@pytest.mark.parametrize(
    ("named", "header", "message"),
    [
        ("gzip", "", "does not begin as gzip data"),
        ("", "x-gzip", "does not begin as gzip data"),
        ("", "br", "Content-Encoding br"),
        ("snappy", "", "framing format"),
    ],
)
def test_what_is_neither_compressed_nor_text_is_refused(
    named: str, header: str, message: str
) -> None:
    with pytest.raises(ObjectFailed, match=message):
        compression_by(b"\x0b\x01\x02rest", named, header, "s3://b/x")


@pytest.mark.parametrize("header", ["", "identity", "aws-chunked", "utf-8"])
def test_headers_that_say_nothing_are_passed_over(header: str) -> None:
    assert compression_by(b"\x0b\x01\x02", "", header, "u") == ""


def test_kinds_are_told_by_their_first_bytes() -> None:
    assert kind_of(b"\x89PNG\r\n") == "a picture"
    assert kind_of(b"PK\x03\x04") == "a zip archive or a spreadsheet"


def test_text_has_no_control_characters() -> None:
    assert is_text("é\t\r\n\x1b[0m".encode())
    assert not is_text(b"a\0b")
