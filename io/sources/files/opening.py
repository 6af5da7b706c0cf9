"""Open the objects of a source: the reader that suits each format, and each state of an object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sources.files.csv.options import CsvOptions
from sources.files.failures import FailedReader
from sources.files.formats import LOOK, StoredFormat
from sources.files.json.layout import Layout
from sources.files.look import Look, LookingReader
from sources.files.plan import Part, part_of
from sources.files.text import TextReader
from sources.files.versions.takeover import TakeoverReader
from sources.storage.objects import Storage
from transforms.batch.expected import ExpectedFields
from transforms.batch.splits import BatchLimits, Position, Reader, Split
from transforms.errors import ObjectFailed
from transforms.parse.raw import HEAD_BYTES

if TYPE_CHECKING:
    from sources.files.avro.reader import AvroReader
    from sources.files.parquet.reader import ParquetReader


@dataclass(frozen=True, slots=True)
class Opening:
    """How a source opens its objects.

    Attributes:
        storage: Where they are.
        stored_format: How an object is stored, by its name; raises ``ObjectFailed``.
        limits: Bounds of a batch.
        max_record_bytes: Of a longer record only the head of 64 KiB is kept; it fails.
        csv: How CSV is written, as far as the user says.
        expected: What the table expects of the header of CSV.
        layout: The layout of JSON that the user names; None to detect it.
    """

    storage: Storage
    stored_format: Callable[[str], StoredFormat]
    limits: BatchLimits
    max_record_bytes: int
    csv: CsvOptions
    expected: ExpectedFields
    layout: Layout | None

    @property
    def max_kept_bytes(self) -> int:
        """The longest record that is passed on whole; Parse rejects it if it is too large."""
        return max(self.max_record_bytes, HEAD_BYTES)

    def open(
        self,
        split: Split,
        position: Position = (),
        storage: Storage | None = None,
        *,
        growing: bool = False,
    ) -> Reader:
        """A reader of ``split`` from ``position`` on.

        Args:
            split: What to read.
            position: Where to begin; empty for its start.
            storage: Where the object is; by default the storage of the source.
            growing: Whether the object may still be written.
        """
        if split.takes_over and not position:
            rest = replace(split, takes_over=())
            whole = split.takes_over[-1].final
            opened = None if whole else self.open(rest, position, storage, growing=growing)
            return TakeoverReader(split, opened)
        try:
            stored_format = self.stored_format(split.name)
        except ObjectFailed as error:
            return FailedReader(split, error)
        if stored_format.format == LOOK:
            look = self.look(storage or self.storage, growing=growing)
            return LookingReader(
                split,
                position,
                lambda: look.at(split, stored_format),
                lambda seen: self._open_as(
                    part_of(split, seen, position, looked_at=True), storage, growing=growing
                ),
                growing=growing,
            )
        return self._open_as(part_of(split, stored_format, position), storage, growing=growing)

    def look(self, storage: Storage, *, growing: bool) -> Look:
        """What tells the format of an object whose name does not."""
        return Look(storage, self.csv, self.expected, self.max_kept_bytes, growing)

    def _open_as(self, part: Part, storage: Storage | None, *, growing: bool) -> Reader:
        typed = _typed(part.stored_format.format)
        if typed is not None:
            storage, limit = storage or self.storage, self.max_record_bytes
            return typed(storage, part, self.limits, limit, growing=growing)
        return self.text_reader(part, storage, growing=growing)

    def text_reader(
        self, part: Part, storage: Storage | None = None, *, growing: bool = False
    ) -> TextReader:
        """A reader of text."""
        if part.layout is None and self.layout is not None:
            part = replace(part, layout=self.layout)
        return TextReader(
            storage or self.storage,
            part,
            self.limits,
            self.max_kept_bytes,
            self.csv,
            self.expected,
            growing=growing,
        )


def _typed(name: str) -> type[ParquetReader | AvroReader] | None:
    """The reader of a format with types; Arrow and fastavro are imported for these formats only."""
    if name == "parquet":
        from sources.files.parquet.reader import ParquetReader

        return ParquetReader
    if name == "avro":
        from sources.files.avro.reader import AvroReader

        return AvroReader
    return None
