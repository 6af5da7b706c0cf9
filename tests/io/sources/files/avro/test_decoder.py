from __future__ import annotations

import pytest

from sources.files.avro.blocks import Block
from sources.files.avro.decoder import Decoder, WholeBlock
from sources.files.avro.elements import Elements
from transforms.errors import ObjectFailed

SCHEMA = b'{"type": "record", "name": "r", "fields": [{"name": "n", "type": "int"}]}'
DATA = b"\x02\x04\x06"


def test_a_short_block_is_decoded_as_a_whole() -> None:
    whole = Decoder(SCHEMA).elements(Block(2, DATA), first=0, skip=1, limit=100)
    assert isinstance(whole, WholeBlock)
    assert list(whole.elements) == [{"n": 2}]
    assert whole.rest() == 1


@pytest.mark.parametrize("block", [Block(2, bytes(2 << 20)), Block(2, pieces=iter((DATA,)))])
def test_a_long_block_is_decoded_element_by_element(block: Block) -> None:
    assert isinstance(Decoder(SCHEMA).elements(block, 0, 0, 100), Elements)


def test_a_block_whose_values_would_take_much_memory_is_decoded_element_by_element(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sources.files.avro.decoder.MEMORY", 10)
    assert isinstance(Decoder(SCHEMA).elements(Block(2, DATA), 0, 0, 100), Elements)


def test_elements_that_are_no_records_are_refused() -> None:
    with pytest.raises(ObjectFailed, match="no records"):
        Decoder(b'"string"')
