"""Tell the format of an object by its content, where its name does not tell it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from sources.files.csv.head import JSON_START, SAMPLE_BYTES, CsvRules, read_head
from sources.files.csv.options import CsvOptions
from sources.files.decompress import CompressedStream
from sources.files.encodings import DecodedStream, PeekedStream, marked_encoding
from sources.files.failures import EndsEarly, FailedReader, Undecided, may_pass
from sources.files.formats import StoredFormat
from sources.files.framing import BOM
from sources.files.json.layout import parsed_partition
from sources.files.json.values import RECORD_SEPARATOR
from sources.files.magic import AVRO, PARQUET, compression_by, kind_of
from sources.storage.objects import PinnedObject, Storage
from sources.storage.stream import PlainStream, Stream
from transforms import notes
from transforms.batch.expected import ExpectedFields
from transforms.batch.splits import Polled, Position, Reader, Split
from transforms.errors import ObjectFailed

_NAME = re.compile(r"[^\W\d][\w .()/%#:-]{0,63}")
"""What a column of a table may be called, in a file that nothing else says to be one."""


@dataclass(frozen=True, slots=True)
class Look:
    """Looks at the first 64 KiB of an object.

    Attributes:
        storage: Where the object is.
        csv: How CSV is written, as far as the user says.
        expected: What the table expects of the header of CSV.
        limit: The longest record, in bytes, that is kept whole.
        growing: Whether the object may still be written.
    """

    storage: Storage
    csv: CsvOptions
    expected: ExpectedFields
    limit: int
    growing: bool = False

    def at(self, split: Split, stored_format: StoredFormat) -> StoredFormat:
        """How the object of ``split`` is stored; ``stored_format`` is what its name says.

        Raises:
            EndsEarly: It may be growing, and has no whole line yet.
            ObjectFailed: It is none of the formats that are read.
            ObjectUnavailable: Access to it is refused.
            SourceUnavailable: The storage cannot be reached.
        """
        version, _ = parsed_partition(split.version)
        pinned = self.storage.open(split.name, version)
        try:
            return self._of(pinned, split, stored_format)
        finally:
            pinned.close()

    def _of(self, pinned: PinnedObject, split: Split, stored_format: StoredFormat) -> StoredFormat:
        uri = split.name
        stored = PeekedStream(PlainStream(pinned, 0, split.size, first=SAMPLE_BYTES))
        compression = stored_format.compression
        if not stored_format.certain:
            compression = compression_by(stored.head, compression, pinned.content_encoding, uri)
        peeked = PeekedStream(CompressedStream(stored, compression, uri)) if compression else stored
        if peeked.head.startswith(PARQUET) and not compression:
            return StoredFormat("parquet")
        stored_format = replace(stored_format, compression=compression)
        if peeked.head.startswith(AVRO):
            return replace(stored_format, format="avro")
        if what := kind_of(peeked.head):
            raise ObjectFailed(f"{uri} holds {what}, which is not read", "unknown_format")
        return self._of_text(peeked, uri, stored_format)

    def _of_text(self, peeked: PeekedStream, uri: str, named: StoredFormat) -> StoredFormat:
        encoding = marked_encoding(peeked.head) or named.encoding
        stream: Stream = DecodedStream(peeked, encoding, uri) if encoding else peeked
        sample = _sample(stream)
        start = sample.removeprefix(BOM).lstrip().removeprefix(RECORD_SEPARATOR).lstrip()
        if self.growing and b"\n" not in start:
            raise EndsEarly(f"{uri} has no whole line yet", "object_corrupt")
        if not start or JSON_START.match(start):
            return replace(named, format="jsonl")
        rules = CsvRules(self.csv, named.delimiter, self.limit, "", self.expected)
        try:
            head = read_head(_Sampled(sample), rules, uri, growing=self.growing)
        except ObjectFailed as error:
            raise _undecided(uri, error.message.removeprefix(f"{uri} ")) from error
        columns = head.format.columns
        says_csv = self.csv.delimiter or self.csv.columns or self.csv.header is not None
        if not says_csv and (len(columns) < 2 or not all(map(_NAME.fullmatch, columns))):
            raise _undecided(uri, "its first line is neither JSON nor the header of a table")
        return replace(named, format="csv", delimiter=head.format.delimiter)


class LookingReader:
    """Reads an object once its content has told its format.

    Args:
        split: The object.
        position: Where to read on.
        look: Tells how the object is stored.
        open_as: Opens a reader of an object that is stored in that way.
        growing: Whether it may still be written. It is left alone until it can be told.
    """

    def __init__(
        self,
        split: Split,
        position: Position,
        look: Callable[[], StoredFormat],
        open_as: Callable[[StoredFormat], Reader],
        *,
        growing: bool = False,
    ) -> None:
        self._split = split
        self._position = position or (("", split.start),)
        self._look = look
        self._open_as = open_as
        self._growing = growing
        self._reader: Reader | None = None

    def poll(self, timeout: float) -> Polled:
        """The next batches; the first call looks at the object."""
        if self._reader is None:
            try:
                stored_format = self._look()
            except ObjectFailed as error:
                if self._growing and may_pass(error):
                    return Polled((), self._position, done=True)
                start = self._position[0][1]
                self._reader = FailedReader(replace(self._split, start=start), error)
            else:
                notes.note("detected", stored_format.format, self._split.name)
                self._reader = self._open_as(stored_format)
        return self._reader.poll(timeout)

    def backlog(self) -> int:
        """Stored bytes left to read."""
        return self._split.size if self._reader is None else self._reader.backlog()

    def close(self) -> None:
        """Close the object."""
        if self._reader is not None:
            self._reader.close()


class _Sampled:
    """The start of an object as a stream; what follows it is not asked for."""

    stored = 0

    def __init__(self, sample: bytes) -> None:
        self._blocks = [sample]

    def read(self) -> bytes:
        """The start, once."""
        return self._blocks.pop() if self._blocks else b""


def _sample(stream: Stream) -> bytes:
    """The first 64 KiB, up to a whole line if they have one."""
    sample = b""
    while len(sample) < SAMPLE_BYTES:
        block = stream.read()
        if not block:
            return sample
        sample += block
    newline = sample.rfind(b"\n", 0, SAMPLE_BYTES)
    return sample[: newline + 1] if newline >= 0 else sample[:SAMPLE_BYTES]


def _undecided(uri: str, reason: str) -> Undecided:
    return Undecided(f"cannot tell the format of {uri}: {reason}; give --format")
