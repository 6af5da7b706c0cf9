"""The elements of a long block one by one, each within bounded memory.

An element that is too large, or cannot be decoded, is passed over: fastavro can skip by the
schema without making values. So the elements behind it are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from sources.files.avro.blocks import Block, reason_of
from sources.files.avro.columns import written_of
from sources.files.avro.element_codec import ElementCodec
from sources.files.framing import RefusedRecord, unreadable
from sources.files.parquet.large_rows import head_of_values
from sources.files.parquet.long_values import LongValue
from transforms.errors import SluiceError
from transforms.parse.raw import CUT, HEAD_BYTES
from transforms.parse.typed_rows import Unreadable, problem_of

LARGE = 1 << 20
"""Elements of at least this many stored bytes are decoded, whatever the limit of a record."""

MEMORY = 96 << 20
"""The most memory that one element may take."""

_FIELD_MEMORY = 8 << 20
_SHORT = 4 << 10
_MOST_PASSED_OVER = 8 << 30
"""How much memory the values of a block would take that are passed over: it takes time as well."""


class TooLarge(Exception):
    """The element is too large to be decoded; the message says why."""


class DamagedBlock(Exception):
    """The data of the block cannot be read on."""


class Window:
    """The data of a block, of which an element may take so much.

    Args:
        pieces: The data.
        cost: The memory of a value that is read.
    """

    def __init__(self, pieces: Iterator[bytes], cost: int) -> None:
        self._pieces = pieces
        self._cost = cost
        self._data = b""
        self._begin = 0
        self._at = 0
        self._end = 0
        self._limit = 0
        self.memory = 0

    def begin(self, limit: int, memory: int) -> None:
        """An element of at most ``limit`` bytes begins, which may take this much memory."""
        self._begin, self._limit, self.memory = self._at, limit, memory
        self._end = self._at + limit

    def rewind(self) -> None:
        """Go back to where the element begins."""
        self._at = self._begin

    @property
    def size(self) -> int:
        """How many bytes of the element have been read."""
        return self._at - self._begin

    def read(self, size: int, /) -> bytes:
        """The next ``size`` bytes; fewer at the end.

        Raises:
            TooLarge: They are too many for one element.
        """
        at = self._at
        end = at + size
        if end > self._end:
            raise TooLarge(f"it has more than {self._limit:,} bytes")
        if end > len(self._data):
            end -= self._load(end)
            at = self._at
        data = self._data[at:end]
        self._at += len(data)
        # A number of several bytes is read byte by byte; only its last one has no high bit.
        self.memory -= 1 if size == 1 and data >= b"\x80" else self._cost + size
        if self.memory < 0 or size < 0:
            raise TooLarge("its values take too much memory")
        return data

    def lend(self) -> tuple[bytes, int]:
        """The data at hand and the place reached in it, for reading that forgets what precedes."""
        return self._data, self._at

    def take_back(self, data: bytes, at: int) -> None:
        """Go on at this place of ``data``."""
        self._data, self._at = data, at

    def rest(self) -> int:
        """How many bytes are left; they are passed over.

        Raises:
            DamagedBlock: It is damaged there.
        """
        left = len(self._data) - self._at
        self._at = len(self._data)
        while piece := self.piece():
            left += len(piece)
        return left

    def piece(self) -> bytes:
        """The data that follows what is at hand; empty at the end.

        Raises:
            DamagedBlock: The data cannot be read on.
        """
        try:
            return next(self._pieces, b"")
        except ValueError as error:
            raise DamagedBlock(reason_of(error)) from error

    def _load(self, end: int) -> int:
        """Have the bytes up to ``end`` ready, or up to the end; returns by how much they moved."""
        moved = self._begin
        parts = [self._data[moved:]]
        length = len(parts[0])
        while length < end - moved and (piece := self.piece()):
            parts.append(piece)
            length += len(piece)
        self._data = b"".join(parts)
        self._begin, self._at, self._end = 0, self._at - moved, self._end - moved
        return moved


class Elements:
    """The elements of a block: decoded, or refused.

    Args:
        codec: Decodes them.
        block: The block.
        first: The number of its first element.
        limit: The longest record, in bytes, that is read.
    """

    def __init__(self, codec: ElementCodec, block: Block, first: int, limit: int) -> None:
        self._codec = codec
        self._number = first
        self._end = first + block.count
        self._limit = limit
        pieces = iter((block.data,)) if block.pieces is None else block.pieces
        self._window = Window(pieces, codec.costs.item)
        self._reads = _MOST_PASSED_OVER // codec.costs.item
        self.cost = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._number >= self._end:
            raise StopIteration
        window = self._window
        memory = MEMORY - self._codec.costs.fixed
        window.begin(max(self._limit, LARGE), memory)
        try:
            element = self._codec.read(window)
        except (SluiceError, DamagedBlock):
            raise
        except Exception as error:  # noqa: BLE001 - whatever fastavro raises concerns the element
            window.rewind()
            element = self._refused(error)
        self.cost = MEMORY - window.memory
        self._number += 1
        return element

    def skip(self, count: int) -> None:
        """Pass over the next ``count`` elements."""
        for _ in range(count):
            skimmer = _Skimmer(self._window, 0, 1 << 62)
            self._codec.skip(skimmer)
            skimmer.close()
            self._number += 1

    def rest(self) -> int:
        """How many bytes follow the elements read; they are passed over."""
        return self._window.rest()

    def _refused(self, error: Exception) -> RefusedRecord:
        """The next element, field by field."""
        large = isinstance(error, TooLarge)
        whole = HEAD_BYTES if large else max(self._limit, LARGE)
        heads = HEAD_BYTES
        short: dict[str, Any] = {}
        long: dict[str, LongValue] = {}
        lost: dict[str, Unreadable] = {}
        total = 0
        for name, shape in self._codec.shapes.items():
            skimmer = _Skimmer(self._window, max(whole, heads), self._reads)
            try:
                self._codec.skip_field(name, skimmer)
                skimmer.close()
            except (SluiceError, DamagedBlock):
                raise
            except Exception as problem:
                raise (problem if large else error) from problem
            total += skimmer.length
            self._reads -= skimmer.reads
            if skimmer.length > whole:
                long[name] = skimmer.value(heads)
                heads -= len(long[name].head)
                continue
            whole -= skimmer.length
            window = Window(iter((bytes(skimmer.head),)), self._codec.costs.item)
            window.begin(skimmer.length, _FIELD_MEMORY if large else MEMORY)
            try:
                value = written_of(self._codec.read_field(name, window), shape)
            except TooLarge:
                long[name] = skimmer.value(heads)
                heads -= len(long[name].head)
                continue
            except Exception as problem:  # noqa: BLE001 - as above
                stored = {"hex": bytes(skimmer.head).hex()}
                value = Unreadable(str(shape.kind or "string"), reason_of(problem), stored)
            (lost if isinstance(value, Unreadable) else short)[name] = value
        encoder = self._codec.encoder
        if not large and not long:
            raw = encoder.encode_unreadable(short, lost)
            fault = problem_of(lost) or f"it cannot be read ({reason_of(error)})"
            return unreadable(self._number, raw, fault, self._limit)
        row = {**short, **{name: str(each.stored) for name, each in lost.items()}}
        raw, message = head_of_values(row, long, total, encoder, self._limit)
        return RefusedRecord(self._number, raw, "too_large", CUT, f"{message}; {error}")


class _Skimmer:
    """Bytes that are passed over: their length, their first ones, and their SHA-256.

    Args:
        window: Where they are read.
        keep: How many of the first ones are kept.
        most: How many values there may be.
    """

    def __init__(self, window: Window, keep: int, most: int) -> None:
        self._window = window
        self._keep = keep
        self._most = most
        self._data, self._at = window.lend()
        self._noted = self._at
        self._digest = sha256()
        self._ahead = 0
        self.head = bytearray()
        self.length = 0
        self.reads = 0

    def read(self, size: int, /) -> bytes:
        """The next bytes; nothing if they are many, since fastavro does not look at them.

        Raises:
            EOFError: There are fewer.
        """
        at = self._at
        end = at + size
        if at <= end <= len(self._data):
            self._at = end
            return self._data[at:end]
        return self._read_on(size)

    def mark(self) -> None:
        """The value begins here."""
        self._note()
        self._digest, self._ahead = sha256(), self.length

    def close(self) -> None:
        """Let the window go on behind what has been read."""
        self._note()
        self._window.take_back(self._data, self._at)

    def value(self, keep: int) -> LongValue:
        """The value read, of which at most ``keep`` bytes are kept."""
        head = bytes(self.head[self._ahead : self._ahead + keep])
        return LongValue(self.length - self._ahead, head, self._digest.hexdigest())

    def _read_on(self, size: int) -> bytes:
        """The same where the data at hand is not enough."""
        if size < 0:
            raise EOFError
        rest = self._data[self._at :]
        self._note()
        if size <= _SHORT:
            while len(rest) < size:
                rest += self._next()
            self._data, self._at, self._noted = rest, size, 0
            return rest[:size]
        self._at = len(self._data)
        self._note(many=False)
        size -= len(rest)
        while size:
            self._data, self._noted = self._next(), 0
            self._at = min(size, len(self._data))
            self._note(many=False)
            size -= self._at
        return b""

    def _next(self) -> bytes:
        piece = self._window.piece()
        if not piece:
            raise EOFError
        return piece

    def _note(self, *, many: bool = True) -> None:
        """Take note of what has been read from the data at hand; it may be many values."""
        new = memoryview(self._data)[self._noted : self._at]
        self._noted = self._at
        self.length += len(new)
        self.head += new[: max(0, self._keep - len(self.head))]
        self._digest.update(new)
        self.reads += len(new) if many else 1
        if self.reads > self._most:
            raise ValueError(f"more than {self._most:,} values would have to be passed over")
