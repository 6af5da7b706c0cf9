"""Rows as the lines that PostgreSQL's COPY reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sinks.table.rows import CHUNK, Block, Poison, without_refused
from sinks.table.target import Target
from sinks.text.copy_text import Encoder, copy_data, encoder_of
from transforms.error_texts import message_of

# What our encoders and msgspec's raise for a value that has no text form.
_ENCODE_ERRORS = (ValueError, TypeError, ArithmeticError, RecursionError)


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows ready for COPY.

    Attributes:
        names: The columns.
        texts: One line for each row.
        indices: The record of each row.
        whole: All lines as one piece of data.
    """

    names: tuple[str, ...]
    texts: Sequence[str]
    indices: Sequence[int]
    whole: bytes

    def data(self, start: int, end: int) -> bytes:
        """The lines ``[start, end)`` as COPY reads them."""
        if start == 0 and end == len(self.texts):
            return self.whole
        return copy_data(self.texts[start:end])

    def without(self, positions: Collection[int]) -> Lines:
        """The lines without those at ``positions``."""
        rest = [p for p in range(len(self.texts)) if p not in positions]
        texts = [self.texts[p] for p in rest]
        return Lines(self.names, texts, [self.indices[p] for p in rest], copy_data(texts))


def encode_blocks(target: Target, blocks: Sequence[Block], poison: list[Poison]) -> list[Lines]:
    """Encode ``blocks``, without those that become empty.

    A row with a value that cannot be encoded is added to ``poison``.
    """
    encoded = [_encode_block(target, block, poison) for block in blocks]
    return [lines for lines in encoded if lines.indices]


def _encode_block(target: Target, block: Block, poison: list[Poison]) -> Lines:
    types = {column.name: column.type for column in target.columns}
    encoders = [encoder_of(types[name]) for name in block.names]
    try:
        return _encode(block, encoders)
    except _ENCODE_ERRORS:
        good = without_refused(block, lambda row: _refused(row, encoders), poison)
        return _encode(good, encoders)


def _refused(row: Block, encoders: Sequence[Encoder]) -> Poison | None:
    """The row as poison, if one of its columns cannot be encoded; the first one is named."""
    for name, encoder, cells in zip(row.names, encoders, row.cells, strict=True):
        try:
            copy_data(encoder(cells))  # UTF-8 may lack what a text has
        except _ENCODE_ERRORS as error:
            return Poison(row.indices[0], "data", error, f"column {name}: {message_of(error)}")
    return None


def _encode(block: Block, encoders: Sequence[Encoder]) -> Lines:
    texts: list[str] = []
    for start in range(0, len(block.indices), CHUNK):
        end = start + CHUNK
        columns = [
            encoder(cells[start:end]) for encoder, cells in zip(encoders, block.cells, strict=True)
        ]
        texts.extend(map("\t".join, zip(*columns, strict=True)))
    return Lines(block.names, texts, block.indices, copy_data(texts))
