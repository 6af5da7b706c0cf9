"""Files and S3 objects as a source: list what a glob matches, read what the ledger lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from clients.s3 import S3Settings
from sources.files.csv.head import Undecided
from sources.files.csv.options import CsvOptions
from sources.files.encodings import encoding_of
from sources.files.failures import FailedReader
from sources.files.formats import AUTO, StoredFormat, check_format, stored_format_of
from sources.files.json.layout import ARRAY, LINES, SEQUENCE, Layout
from sources.files.json.options import JsonOptions
from sources.files.parquet.reader import ParquetReader
from sources.files.plan import (
    PAGE,
    Part,
    SettledObject,
    SettledSoFar,
    part_of,
    settled_of,
    splits_of,
    unsettled,
)
from sources.files.text import TextReader
from sources.files.walk import WalkReader
from sources.files.watch import WatchedStorage, WatchReader
from sources.storage.local import LocalStorage, begins_as_read, recall
from sources.storage.objects import Storage, StoredObject
from sources.storage.s3 import S3Storage
from sources.storage.s3_names import SCHEME as S3_SCHEME
from sources.storage.tails import Tails
from transforms import metrics
from transforms.batch.coverage import Coverage, Ledger
from transforms.batch.splits import Acknowledger, BatchLimits, Position, Reader, Split
from transforms.errors import ConfigError, ObjectFailed, SourceUnavailable

_MAX_KEPT = 16
"""A record is kept whole up to this multiple of the largest record allowed."""

_CSV_CHECKED = 5
"""How many CSV objects are checked before a run."""


@dataclass(frozen=True, slots=True)
class FilesSource:
    """Local files (a path or ``file://``) or S3 objects (``s3://``), by name or by glob.

    Attributes:
        uri: What to read; ``*``, ``?``, ``[…]`` and ``**`` are wildcards.
        format: ``auto`` (by extension), ``jsonl``, ``csv`` or ``parquet``.
        limits: Bounds of a batch.
        max_record_bytes: Records up to 16 times as long are passed on whole, for Parse
            to reject; of longer ones only the head is kept.
        split_bytes: Length of the byte ranges in which plain JSON lines are read.
        s3: Where S3 is; credentials come from the AWS chain.
        walk: Read all objects one after another in a single split.
        watch: Keep looking for new objects, and for new versions of objects, forever.
        poll_interval: Seconds between two listings.
        outage_budget: Seconds to wait for a storage that is away while watching.
        rest_seconds: While watching, a file is whole after this many seconds without a write.
            A last line without an end, and a file that ends early, are left until then.
        csv: How CSV is written, as far as the user says; the rest is detected.
        json: How JSON is laid out, as far as the user says; the rest is detected.
        encoding: Of text, as Python names it; empty for UTF-8 or what a byte order mark says.
        expected: Columns of which the header of CSV has at least one; empty if they are not
            known.
    """

    uri: str
    format: str = AUTO
    limits: BatchLimits = BatchLimits()  # noqa: RUF009 - frozen
    max_record_bytes: int = 1 << 20
    split_bytes: int = 64 << 20
    s3: S3Settings = S3Settings()  # noqa: RUF009 - frozen
    walk: bool = False
    watch: bool = False
    poll_interval: float = 5.0
    outage_budget: float = 300.0
    rest_seconds: float = 10.0
    csv: CsvOptions = CsvOptions()  # noqa: RUF009 - frozen
    json: JsonOptions = JsonOptions()  # noqa: RUF009 - frozen
    encoding: str = ""
    expected: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_format(self.format)
        object.__setattr__(self, "encoding", self.encoding and encoding_of(self.encoding))
        for name in ("max_record_bytes", "split_bytes", "poll_interval", "outage_budget"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be greater than 0, got {getattr(self, name)}")
        if not self.rest_seconds >= 0:
            raise ConfigError(f"rest_seconds must be 0 or more, got {self.rest_seconds}")

    @property
    def storage(self) -> Storage:
        """Where the objects are."""
        return S3Storage(self.s3) if self.uri.startswith(S3_SCHEME) else LocalStorage()

    @property
    def open_ended(self) -> bool:
        """No: every object has an end."""
        return False

    def expecting(self, columns: frozenset[str]) -> FilesSource:
        """This source with the columns of which the header of a CSV file has at least one."""
        return replace(self, expected=columns)

    def check(self) -> None:
        """Check the first thousand objects: there are some, and their format is known."""
        listed = list(islice(self.storage.list(self.uri), PAGE))
        if not listed and not self.watch:
            raise ConfigError(f"nothing matches {self.uri}")
        for stored in listed:
            try:
                stored_format_of(stored.uri, self.format)
            except ObjectFailed as error:
                raise ConfigError(error.message) from error
        self._refuse_undecided(listed)

    def _refuse_undecided(self, listed: list[StoredObject]) -> None:
        """Refuse CSV that cannot be read without a further option, if that holds for all objects.

        If only some need it, they fail one by one.
        """
        checked = [
            stored
            for stored in listed
            if stored.size and stored_format_of(stored.uri, self.format).format == "csv"
        ][:_CSV_CHECKED]
        reasons = [self._undecided(stored) for stored in checked]
        if reasons and all(reasons):
            raise ConfigError(reasons[0])

    def _undecided(self, stored: StoredObject) -> str:
        """Why it cannot be told how an object is written; empty if it can be told."""
        try:
            self._looked_at(stored)
        except Undecided as error:
            return error.message
        except (ObjectFailed, SourceUnavailable):
            pass  # the run reports it
        return ""

    def fixed(self) -> FilesSource:
        """This source: its splits depend on the objects and on what is settled of them alone."""
        return self

    def owns(self, source: str) -> bool:
        """Whether ``uri`` matches the object named ``source``."""
        return self.storage.matches(self.uri, source)

    def plan(self, ledger: Ledger) -> Iterator[Split | SettledObject]:
        """The splits that are left to read, and the objects that are settled, lazily."""
        for stored, settled in unsettled(self.storage.list(self.uri), ledger, self._layouts_of):
            if settled.coverage.complete:
                yield SettledObject(stored)
            else:
                layout = self._layout(stored, settled)
                yield from splits_of(
                    *(self.uri, stored, settled.coverage, self._stored_format(stored.uri)),
                    *(self.split_bytes, layout),
                )

    @property
    def _layout_wanted(self) -> Layout | None:
        """The layout of JSON that the options name; None to detect it."""
        if self.json.layout == AUTO and not self.json.path:
            return None
        return Layout("array" if self.json.path else self.json.layout, self.json.path)

    def _layouts_of(self, stored: StoredObject) -> list[Layout]:
        stored_format = self._stored_format(stored.uri)
        if stored_format is None or stored_format.format != "jsonl":
            return []
        wanted = self._layout_wanted
        own = [] if wanted in (None, LINES, ARRAY, SEQUENCE) else [wanted]
        return [ARRAY, SEQUENCE, *own]

    def _layout(self, stored: StoredObject, settled: SettledSoFar) -> Layout | None:
        """The layout to read an object in; None if its reader has to detect it.

        What is settled in part goes on in the same layout.

        Raises:
            ConfigError: It was read in another layout than it has, or than the options name.
        """
        stored_format = self._stored_format(stored.uri)
        if stored_format is None or stored_format.format != "jsonl":
            return LINES
        layout, begun = self._layout_wanted, settled.layout
        large = stored_format.divisible and stored.size > self.split_bytes
        if layout is None and (begun == LINES or (begun is None and large)):
            layout = self._look_at(stored)
        if begun is None or layout in (None, begun):
            return begun or layout
        reached = settled.coverage.ranges[-1][1] if settled.coverage.ranges else 0
        raise ConfigError(
            f"{stored.uri} was read as {begun} up to byte {reached:,} and is to be read as {layout} "
            f"now, where other records begin; give {begun.options} to read the rest of it, "
            "or store it anew to read all of it"
        )

    def _look_at(self, stored: StoredObject) -> Layout | None:
        """The layout that the start of an object shows; None if that cannot be told now."""
        try:
            return self._looked_at(stored)
        except ObjectFailed:
            return None  # its reader reports it

    def _looked_at(self, stored: StoredObject) -> Layout:
        """Open an object and find out how it is written."""
        stored_format = stored_format_of(stored.uri, self.format, self.encoding)
        split = Split(self.uri, stored.uri, stored.version, stored.size)
        reader = self._text_reader(part_of(split, stored_format, ()), growing=self.watch)
        try:
            return reader.look()
        finally:
            reader.close()

    def splits(self, ledger: Ledger) -> Iterator[Split]:
        """One split for everything when walking or watching; otherwise those of the objects."""
        if self.walk or self.watch:
            yield Split(self.uri, self.uri)
        else:
            yield from self._unsettled(ledger)

    def _unsettled(self, ledger: Ledger) -> Iterator[Split]:
        """The splits that are left to read; counts them, and the objects that are skipped."""
        for planned in self.plan(ledger):
            if isinstance(planned, SettledObject):
                metrics.count("splits_skipped")
                metrics.count("bytes_skipped", planned.stored.size)
            else:
                metrics.count("splits_planned")
                metrics.count("bytes_planned", planned.size)
                yield planned

    def open(self, split: Split, position: Position, ledger: Ledger) -> Reader:
        """A reader of ``split`` from ``position`` on; I/O begins with its first poll."""
        if self.watch:
            return self._watch(position, ledger)
        if self.walk:
            return WalkReader(self._unsettled(ledger), self._open)
        return self._open(split, position)

    def acknowledger(self) -> Acknowledger | None:
        """None: a storage does not want to know."""
        return None

    def _open(
        self,
        split: Split,
        position: Position = (),
        storage: Storage | None = None,
        *,
        growing: bool = False,
    ) -> Reader:
        try:
            stored_format = stored_format_of(split.name, self.format, self.encoding)
        except ObjectFailed as error:
            return FailedReader(split, error)
        part = part_of(split, stored_format, position)
        if stored_format.format == "parquet":
            return ParquetReader(storage or self.storage, part, self.limits, growing=growing)
        return self._text_reader(part, storage, growing=growing)

    def _text_reader(
        self, part: Part, storage: Storage | None = None, *, growing: bool = False
    ) -> TextReader:
        if part.layout is None:
            part = replace(part, layout=self._layout_wanted)
        return TextReader(
            storage or self.storage,
            part,
            self.limits,
            _MAX_KEPT * self.max_record_bytes,
            self.csv,
            self.expected,
            growing=growing,
        )

    def _watch(self, position: Position, ledger: Ledger) -> WatchReader:
        tails = Tails()
        local = not self.uri.startswith(S3_SCHEME)
        storage = LocalStorage(tails) if local else self.storage

        def splits(
            stored: StoredObject, coverage: Coverage, layout: Layout | None
        ) -> Iterator[Split]:
            stored_format = self._stored_format(stored.uri)
            size = max(1, stored.size)
            return splits_of(self.uri, stored, coverage, stored_format, size, layout)

        def continues(stored: StoredObject) -> bool:
            stored_format = self._stored_format(stored.uri)
            appendable = stored_format is not None and stored_format.format != "parquet"
            return appendable and begins_as_read(stored, tails)

        def where_to_read_on(stored: StoredObject, end: int, layout: Layout) -> int:
            # In another layout, the last line may end within a record.
            return recall(stored, end, tails) if local and layout == LINES else 0

        watched = WatchedStorage(
            list=lambda: storage.list(self.uri),
            splits=splits,
            settled=lambda page: settled_of(page, ledger, self._layouts_of),
            layout=self._layout,
            open=lambda split: self._open(split, storage=storage),
            interval=self.poll_interval,
            outage_budget=self.outage_budget,
            open_growing=lambda split: self._open(split, storage=storage, growing=True),
            continues=continues,
            forget=tails.forget,
            recall=where_to_read_on,
            rest=self.rest_seconds,
        )
        return WatchReader(watched, position[0][1] if position else 0)

    def _stored_format(self, uri: str) -> StoredFormat | None:
        try:
            return stored_format_of(uri, self.format, self.encoding)
        except ObjectFailed:
            return None
