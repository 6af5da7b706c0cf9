"""Rows as the lines that PostgreSQL's COPY reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from sinks.table.rows import ENCODE_ERRORS, Block, Poison, without_refused
from sinks.table.target import Target
from sinks.text.copy_text import Encoder, copy_data, encode_json_texts, encoder_of
from transforms.parse.columns.columnar import Cells, pieces

# What our encoders and msgspec's raise for a value that has no text form.


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows ready for COPY.

    Attributes:
        names: The columns.
        texts: One line for each row.
        indices: The record of each row.
        binary: The rows once more, in COPY's binary format; None where they have only texts.
    """

    names: tuple[str, ...]
    texts: Sequence[str]
    indices: Sequence[int]
    binary: bytes | None = None

    @property
    def whole(self) -> bytes:
        """All lines as one piece of data."""
        return self.texts.whole if isinstance(self.texts, Texts) else copy_data(self.texts)

    def data(self, start: int, end: int) -> bytes:
        """The lines ``[start, end)`` as COPY reads them."""
        if start == 0 and end == len(self.texts):
            return self.whole
        return copy_data(self.texts[start:end])

    def without(self, positions: Collection[int]) -> Lines:
        """The lines without those at ``positions``."""
        rest = [p for p in range(len(self.texts)) if p not in positions]
        texts = [self.texts[p] for p in rest]
        return Lines(self.names, texts, [self.indices[p] for p in rest])


class Texts(Sequence[str]):
    """Lines in one piece of data, made and cut only when somebody asks: few commits need each line.

    Args:
        make: Makes the lines as COPY reads them: a line feed in a cell is escaped.
        count: How many there are.
    """

    def __init__(self, make: Callable[[], bytes], count: int) -> None:
        self._make = make
        self._whole: bytes | None = None
        self._count = count
        self._texts: list[str] | None = None

    @property
    def whole(self) -> bytes:
        """All lines."""
        if self._whole is None:
            self._whole = self._make()
        return self._whole

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if self._texts is None:
            self._texts = self.whole.decode().split("\n")[:-1]
        return self._texts[index]

    def __iter__(self) -> Iterator[str]:
        return iter(self[:])


def encode_blocks(
    target: Target, blocks: Sequence[Block], poison: list[Poison], *, binary: bool = False
) -> list[Lines]:
    """Encode ``blocks``, without those that become empty.

    A row with a value that cannot be encoded is added to ``poison``. With ``binary``, rows are encoded in
    COPY's binary format where that is possible, and become lines when somebody asks for one.
    """
    encoded = [_encode_block(target, block, poison, binary) for block in blocks]
    return [lines for lines in encoded if lines.indices]


def _encode_block(target: Target, block: Block, poison: list[Poison], binary: bool) -> Lines:
    types = {column.name: column.type for column in target.columns}
    encoders = {
        name: encode_json_texts if name in block.texts else encoder_of(types[name])
        for name in block.names
    }
    try:
        if any(isinstance(cells, Cells) for cells in block.cells):
            return _encode_arrow(block, types, list(encoders.values()), binary)
        return _encode(block, list(encoders.values()))
    except ENCODE_ERRORS:
        # Encoders take cells in a list. UTF-8 may lack what a text has.
        good = without_refused(
            block, lambda name, cells: copy_data(encoders[name](list(cells))), poison
        )
        return _encode(good, list(encoders.values()))


def _encode_arrow(
    block: Block, types: Mapping[str, str], encoders: Sequence[Encoder], binary: bool
) -> Lines:
    # With pyarrow, which most runs do not need.
    from sinks.text.arrow_binary import binary_of
    from sinks.text.arrow_text import JSONB_TEXT, lines_of

    kinds = [
        JSONB_TEXT if name in block.texts and types[name] == "jsonb" else types[name]
        for name in block.names
    ]
    texts = Texts(lambda: lines_of(kinds, block.cells, encoders), len(block.indices))
    data = binary_of(kinds, block.cells) if binary and block.indices else None
    if data is None:
        _ = texts.whole  # now, since a value may be refused
    return Lines(block.names, texts, block.indices, data)


def _encode(block: Block, encoders: Sequence[Encoder]) -> Lines:
    count = len(block.indices)
    parts = [
        _joined([encoder(cells) for encoder, cells in zip(encoders, piece, strict=True)])
        for piece in pieces(block.cells, count)
    ]
    whole = "".join(parts).encode()
    return Lines(block.names, Texts(lambda: whole, count), block.indices)


def _joined(columns: Sequence[Sequence[str]]) -> str:
    """The lines with the cells of ``columns``: half of what it takes to join each line."""
    step, count = 2 * len(columns), len(columns[0])
    pieces = ["\t"] * (step * count)
    for place, cells in enumerate(columns):
        pieces[2 * place :: step] = cells
    pieces[step - 1 :: step] = ["\n"] * count
    return "".join(pieces)
