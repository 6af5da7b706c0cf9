from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from sources.files.csv.options import CsvOptions
from sources.files.encodings import (
    DecodedStream,
    PeekedStream,
    encoding_of,
    keeps_ascii,
    marked_encoding,
)
from sources.files.failures import EndsEarly
from sources.files.source import FilesSource
from tests.io.sources.files.blocks import Blocks
from tests.io.sources.reading import read_all
from transforms.errors import ConfigError, ObjectFailed
from transforms.parse.parse import ParseConfig, parse


def read(stream: DecodedStream | PeekedStream) -> bytes:
    return b"".join(iter(stream.read, b""))


@pytest.mark.parametrize("name", ["utf8", "UTF-8", "utf-8-sig", "ascii"])
def test_utf_8_needs_no_conversion(name: str) -> None:
    assert encoding_of(name) == ""


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13", "", "a\0b"])
def test_what_is_not_an_encoding_of_text_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="--encoding"):
        encoding_of(name)


KEEPS_ASCII = (
    *("iso8859-1", "iso8859-15", "cp1252", "cp1251", "koi8-r", "mac-roman", "tis-620", "cp437"),
    *("euc_jp", "euc_jis_2004", "euc_jisx0213", "euc_kr", "gb2312"),
)
TAKES_ASCII = (
    *("gbk", "gb18030", "big5", "big5hkscs", "cp950", "shift_jis", "shift_jis_2004", "cp932"),
    *("cp949", "johab", "iso2022_jp", "iso2022_jp_2", "iso2022_kr", "hz", "utf-7"),
    *("utf-16", "utf-16-le", "utf-32", "cp037", "cp500", "cp864"),
)


@pytest.mark.parametrize("encoding", KEEPS_ASCII)
def test_records_are_cut_in_stored_bytes_where_ascii_always_stands_for_itself(
    encoding: str,
) -> None:
    assert keeps_ascii(encoding)


@pytest.mark.parametrize("encoding", TAKES_ASCII)
def test_text_is_converted_first_where_a_delimiter_may_be_part_of_a_character(
    encoding: str,
) -> None:
    assert not keeps_ascii(encoding)


@pytest.mark.parametrize("encoding", [*KEEPS_ASCII, *TAKES_ASCII])
def test_each_character_of_an_encoding_comes_back_from_a_cell(
    tmp_path: Path, encoding: str
) -> None:
    characters = [chr(code) for code in range(0xA0, 0x3000) if _is_text(chr(code), encoding)]
    characters += [chr(code) for code in range(0x4E00, 0x9FA6) if _is_text(chr(code), encoding)]
    assert characters
    text = "".join(f"{each},{each}\n" for each in characters)
    path = tmp_path / "t.csv"
    path.write_bytes(f"a,b\n{text}".encode(encoding))
    batches = read_all(FilesSource(str(path), encoding=encoding, csv=CsvOptions(delimiter=",")))
    rows = [value for batch in batches for value in parse(batch, ParseConfig()).values or ()]
    assert [(row["a"], row["b"]) for row in rows] == [(each, each) for each in characters]


def _is_text(character: str, encoding: str) -> bool:
    try:
        return character.encode(encoding).decode(encoding) == character and bool(character.strip())
    except UnicodeError:
        return False


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_names_the_encoding(encoding: str) -> None:
    assert marked_encoding("\ufeffid".encode(encoding)) == encoding


def test_the_mark_of_utf_8_and_no_mark_name_none() -> None:
    assert marked_encoding(codecs.BOM_UTF8 + b"id") == ""
    assert marked_encoding(b"") == ""


def test_a_stream_that_was_peeked_at_is_read_from_its_start() -> None:
    stream = PeekedStream(Blocks(b"ab" * 999, b"c"))
    assert stream.head == b"ab" * 999
    assert read(stream) == b"ab" * 999 + b"c"


def test_small_blocks_are_enough_to_see_a_mark() -> None:
    stream = PeekedStream(Blocks(b"\xff", b"\xfe", b"a", b"\0"))
    assert marked_encoding(stream.head) == "utf-16-le"
    assert read(stream) == b"\xff\xfea\0"


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
