"""How much memory the pages of a row group may take, and what follows where they need more.

pyarrow has no such limit: it holds a page of each column, compressed and decompressed, and repeats
long entries of a dictionary for every row. What it would need is known from the header of a page.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sources.files.parquet.block_codecs import Undecodable
from sources.files.parquet.long_values import Marks, with_marks
from sources.files.parquet.page_headers import DATA, DATA_V2, DICTIONARY, PageHeader
from sources.files.parquet.paged_file import Page
from transforms.errors import ObjectFailed

USUAL_PAGE = 2 << 20
"""A page of this size counts for nothing: a reader holds one of each column."""
MOST_BEYOND = 256 << 20
"""The most bytes by which all pages that are held may exceed the usual, together."""
LARGE_PAGE = 64 << 20
"""A page that needs more memory is looked through for long values."""
MOST_PASSED = 32 << 20
"""The most bytes of whole pages that one batch of several rows may take from its columns."""
MOST_IN_ROW = 48 << 20
"""The same for a batch of one row. Arrow needs about four times as much for a list."""
MOST_EXPANDED = 32 << 20
"""The most bytes that entries of a dictionary may become in one batch."""

_WALKED = 4 << 20
_WRITTEN_KEPT = 8


class FewerRows(Exception):
    """The batch takes too much memory: it has to be read in smaller steps."""


class AsDictionary(Exception):
    """The entries of a column's dictionary are so long that they must not be repeated.

    Attributes:
        column: The number of the column.
    """

    def __init__(self, column: int) -> None:
        super().__init__(column)
        self.column = column


class MemoryGate:
    """Lets pages through as long as they fit in memory.

    Args:
        schema: Of the columns.
        marks: Takes values that are too long.
    """

    def __init__(self, schema: pq.ParquetSchema, marks: Marks) -> None:
        self._schema = schema
        self._marks = marks
        self._rows = 1
        self._dictionaries: AbstractSet[int] = frozenset()
        self._dense: AbstractSet[int] = frozenset()
        self._written: dict[int, tuple[bytes, PageHeader]] = {}
        self._held: dict[tuple[int, int], int] = {}
        self._begun: dict[int, int] = {}
        self._passed = 0

    def begin_group(self) -> None:
        """Expect the first pages of a row group."""
        self._held.clear()
        while len(self._written) >= _WRITTEN_KEPT:
            self._written.pop(next(iter(self._written)))

    def begin_batch(
        self, rows: int, dictionaries: AbstractSet[int], dense: AbstractSet[int]
    ) -> None:
        """Expect the pages of a batch.

        Args:
            rows: Of the batch.
            dictionaries: The columns that are read as dictionaries.
            dense: The columns that cannot be.
        """
        self._rows = rows
        self._dictionaries = dictionaries
        self._dense = dense
        self._begun.clear()
        self._passed = 0

    def admit(self, page: Page, room: int) -> bytes | None:
        """The bytes that pyarrow gets in the place of ``page``; None for the page itself.

        Raises:
            FewerRows: The batch needs too many pages.
            AsDictionary: The page is a dictionary of long entries.
            ObjectFailed: The page does not fit in memory.
        """
        header, instead = page.header, None
        if _cost(header) > LARGE_PAGE and self._may_have_marks(page):
            instead, header = self._marked(page, room)
        self._hold(page, header)
        if header.type == DICTIONARY:
            if self._repeats(page, header):
                raise AsDictionary(page.chunk.column)
        elif header.type in (DATA, DATA_V2):
            self._pass(page, header)
        return instead

    def _may_have_marks(self, page: Page) -> bool:
        column = self._schema.column(page.chunk.column)
        decimal = column.logical_type.type == "DECIMAL" or column.converted_type == "DECIMAL"
        return column.physical_type == "BYTE_ARRAY" and not decimal

    def _marked(self, page: Page, room: int) -> tuple[bytes | None, PageHeader]:
        """The page with marks in place of its long values, if it can be written again."""
        again = self._written.get(page.offset)
        if again is not None:
            return again
        column = self._schema.column(page.chunk.column)
        levels = (column.max_repetition_level > 0, column.max_definition_level > 0)
        try:
            written, size = with_marks(
                page.header, page.stored, page.chunk.codec, levels, self._marks
            )
        except Undecodable as error:
            if _cost(page.header) > MOST_BEYOND:
                raise _too_large(page, str(error)) from error
            return None, page.header
        if len(written) > room:
            raise _too_large(page, "it cannot be written again in its place")
        header = replace(page.header, stored=len(written), size=size)
        if len(written) <= USUAL_PAGE and len(self._written) < _WRITTEN_KEPT:
            self._written[page.offset] = written, header  # reading may restart
        return written, header

    def _hold(self, page: Page, header: PageHeader) -> None:
        place = (page.chunk.column, header.type == DICTIONARY)
        self._held[place] = max(0, _cost(header) - USUAL_PAGE)
        if sum(self._held.values()) > MOST_BEYOND:
            raise _too_large(page, "with the pages of the other columns")

    def _pass(self, page: Page, header: PageHeader) -> None:
        """Count a page of values."""
        self._passed += self._begun.get(page.chunk.column, 0)
        self._begun[page.chunk.column] = header.size
        if self._rows > 1 and self._passed > MOST_PASSED:
            raise FewerRows
        if self._passed > MOST_IN_ROW:
            message = f"column {page.chunk.path!r} has a row of more than {self._passed:,} bytes"
            raise ObjectFailed(message, "too_large")

    def _repeats(self, page: Page, header: PageHeader) -> bool:
        """Whether the entries of a dictionary would become too much, one for each value."""
        chunk = page.chunk
        if chunk.column in self._dictionaries or not self._may_have_marks(page):
            return False
        times = max(1.0, self._rows * chunk.values_per_row)
        if times * header.size <= MOST_EXPANDED:
            return False
        if header.size > _WALKED or page.header is not header:
            longest = header.size
        else:
            longest = _longest_entry(page)
        if chunk.column not in self._dense:
            return times * longest > MOST_EXPANDED
        if times * longest > MOST_EXPANDED and self._rows > 1:
            raise FewerRows
        if times * longest > MOST_IN_ROW or (longest > USUAL_PAGE and chunk.values_per_row > 1):
            raise _too_large(page, "it is a dictionary, and its values are in lists")
        return False


def _cost(header: PageHeader) -> int:
    """What it takes to read a page: compressed, decompressed, and copied if it is a dictionary."""
    return 2 * header.stored + header.size * (2 if header.type == DICTIONARY else 1)


def _longest_entry(page: Page) -> int:
    """The length of the longest entry of a dictionary; its size if that cannot be told."""
    data = b"".join(page.stored(0, page.header.stored))
    try:
        if page.chunk.codec != "UNCOMPRESSED":
            name: Any = page.chunk.codec.lower()
            codec = pa.Codec(name)
            data = codec.decompress(data, page.header.size, asbytes=True)
    except (pa.ArrowException, OSError, ValueError):
        return page.header.size
    return longest_of(data)


def longest_of(data: bytes) -> int:
    """The length of the longest entry of a dictionary.

    Args:
        data: Each entry after its length, in four bytes.
    """
    if (alike := _all_alike(data)) is not None:
        return alike
    longest = at = 0
    from_bytes = int.from_bytes
    while at < len(data):
        length = from_bytes(data[at : at + 4], "little")
        longest = max(longest, length)
        at += 4 + length
    return longest


def _all_alike(data: bytes) -> int | None:
    """The length of the entries in ``data``, if all have the same, as UUIDs have."""
    first = data[:4]
    length = int.from_bytes(first, "little")
    count, rest = divmod(len(data), 4 + length)
    # Each length stands where the one before it says: so all are found by one step.
    if rest or not count:
        return None
    lengths = np.frombuffer(data, np.uint8).reshape(count, 4 + length)[:, :4]
    return length if (lengths == np.frombuffer(first, np.uint8)).all() else None


def _too_large(page: Page, reason: str) -> ObjectFailed:
    header, chunk = page.header, page.chunk
    return ObjectFailed(
        f"column {chunk.path!r} has a page of {header.size:,} bytes, which does not fit in memory: "
        f"{reason}",
        "too_large",
    )
