from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sources.files.avro.blocks import Block, reason_of
from sources.files.avro.decoder import Decoder
from sources.files.avro.elements import DamagedBlock, Elements, TooLarge, Window
from sources.files.framing import RefusedRecord

FIELDS = '{"name": "id", "type": "int"}, {"name": "text", "type": "string"}'
SCHEMA = f'{{"type": "record", "name": "r", "fields": [{FIELDS}]}}'.encode()


def window(*pieces: bytes, limit: int = 10, memory: int = 1_000) -> Window:
    opened = Window(iter(pieces), cost=40)
    opened.begin(limit, memory)
    return opened


def test_an_element_is_read_over_the_ends_of_pieces_and_again() -> None:
    data = window(b"ab", b"c", b"defg")
    assert (data.read(1), data.read(4), data.size) == (b"a", b"bcde", 5)
    data.rewind()
    assert data.read(5) == b"abcde"
    data.begin(10, 1_000)
    assert (data.read(2), data.read(2)) == (b"fg", b"")


def test_an_element_may_take_so_many_bytes_and_so_much_memory() -> None:
    with pytest.raises(TooLarge, match="more than 10 bytes"):
        window(b"a" * 20).read(11)
    values = window(b"a" * 20, memory=100)
    values.read(1)
    values.read(1)
    with pytest.raises(TooLarge, match="memory"):
        values.read(1)
    number = window(b"\x80" * 20, memory=100)
    assert [number.read(1) for _ in range(9)] == [b"\x80"] * 9, "one number of several bytes"


def test_what_is_left_is_counted_and_damage_is_said() -> None:
    data = window(b"abc", b"de")
    data.read(1)
    assert data.rest() == 4

    def broken() -> Iterator[bytes]:
        yield b"ab"
        raise ValueError("its checksum does not match")

    with pytest.raises(DamagedBlock, match="checksum"):
        Window(broken(), cost=1).rest()


def elements(data: bytes, count: int, skip: int = 0) -> Elements:
    decoder = Decoder(SCHEMA)
    return decoder.one_by_one(Block(count, data), first=7, skip=skip, limit=100)


def test_elements_are_decoded_and_the_rest_is_counted() -> None:
    decoded = elements(b"\x02\x02a\x04\x02b\x06", 2)
    assert list(decoded) == [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]
    assert decoded.rest() == 1
    assert list(elements(b"\x02\x02a\x04\x02b", 2, skip=1)) == [{"id": 2, "text": "b"}]


def test_a_refused_element_has_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.files.avro.elements.LARGE", 10)
    long = b"\x04" + b"\x90\x03" + b"x" * 200
    decoded: list[Any] = list(elements(b"\x02\x02a" + long + b"\x06\x02c", 3))
    refused = decoded.pop(1)
    assert isinstance(refused, RefusedRecord)
    assert (refused.offset, refused.category) == (8, "too_large")
    assert "the row has 203 bytes, limit 100" in refused.message
    assert [each["id"] for each in decoded] == [1, 3]


def test_passing_over_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.files.avro.elements.LARGE", 10)
    monkeypatch.setattr("sources.files.avro.elements._MOST_PASSED_OVER", 0)
    with pytest.raises(ValueError, match="would have to be passed over"):
        list(elements(b"\x02" + b"\x90\x03" + b"x" * 200, 1))


@pytest.mark.parametrize("kind", ["boolean", "float", "double", "int", "string", "bytes"])
def test_data_that_end_too_early_are_said_to(kind: str) -> None:
    schema = f'{{"type": "record", "name": "r", "fields": [{{"name": "v", "type": "{kind}"}}]}}'
    decoder = Decoder(schema.encode())
    with pytest.raises(EOFError) as caught:
        list(decoder.one_by_one(Block(1, b""), first=7, skip=0, limit=100))
    assert reason_of(caught.value) == "the data ends too early"
