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
from sources.files.parquet.reader import ParquetReader
from sources.files.plan import PAGE, Part, SettledObject, part_of, splits_of, unsettled
from sources.files.text import TextReader
from sources.files.walk import WalkReader
from sources.files.watch import WatchedStorage, WatchReader
from sources.storage.local import LocalStorage, begins_as_read, recall
from sources.storage.objects import Storage, StoredObject
from sources.storage.s3 import SCHEME as S3_SCHEME
from sources.storage.s3 import S3Storage
from sources.storage.tails import Tails
from transforms import metrics
from transforms.batch.coverage import Coverage, Ledger
from transforms.batch.splits import Acknowledger, BatchLimits, Position, Reader, Split
from transforms.errors import ConfigError, ObjectFailed, SourceUnavailable
from transforms.parse.raw import HEAD_BYTES

_CSV_CHECKED = 5
"""How many CSV objects are checked before a run."""


@dataclass(frozen=True, slots=True)
class FilesSource:
    """Local files (a path or ``file://``) or S3 objects (``s3://``), by name or by glob.

    Attributes:
        uri: What to read; ``*``, ``?``, ``[…]`` and ``**`` are wildcards.
        format: ``auto`` (by extension), ``jsonl``, ``csv`` or ``parquet``.
        limits: Bounds of a batch.
        max_record_bytes: Of a longer record only the head of 64 KiB is kept; it fails.
        split_bytes: Length of the byte ranges in which plain JSON lines are read.
        s3: Where S3 is; credentials come from the AWS chain.
        walk: Read all objects one after another in a single split.
        watch: Keep looking for new objects, and for new versions of objects, forever.
        poll_interval: Seconds between two listings.
        outage_budget: Seconds to wait for a storage that is away while watching.
        rest_seconds: While watching, a file is whole after this many seconds without a write.
            A last line without an end, and a file that ends early, are left until then.
        csv: How CSV is written, as far as the user says; the rest is detected.
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
    def _max_kept_bytes(self) -> int:
        """The longest record that is passed on whole; Parse rejects it if it is too large."""
        return max(self.max_record_bytes, HEAD_BYTES)

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
        stored_format = stored_format_of(stored.uri, self.format, self.encoding)
        split = Split(self.uri, stored.uri, stored.version, stored.size)
        reader = self._text_reader(part_of(split, stored_format, ()), growing=self.watch)
        try:
            reader.look()
        except Undecided as error:
            return error.message
        except (ObjectFailed, SourceUnavailable):
            return ""  # the run reports it
        finally:
            reader.close()
        return ""

    def fixed(self) -> FilesSource:
        """This source: its splits depend on the objects and on what is settled of them alone."""
        return self

    def owns(self, source: str) -> bool:
        """Whether ``uri`` matches the object named ``source``."""
        return self.storage.matches(self.uri, source)

    def plan(self, ledger: Ledger) -> Iterator[Split | SettledObject]:
        """The splits that are left to read, and the objects that are settled, lazily."""
        for stored, coverage in unsettled(self.storage.list(self.uri), ledger):
            if coverage.complete:
                yield SettledObject(stored)
            else:
                yield from splits_of(
                    self.uri, stored, coverage, self._stored_format(stored.uri), self.split_bytes
                )

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
            storage = storage or self.storage
            limit = self.max_record_bytes
            return ParquetReader(storage, part, self.limits, limit, growing=growing)
        return self._text_reader(part, storage, growing=growing)

    def _text_reader(
        self, part: Part, storage: Storage | None = None, *, growing: bool = False
    ) -> TextReader:
        return TextReader(
            storage or self.storage,
            part,
            self.limits,
            self._max_kept_bytes,
            self.csv,
            self.expected,
            growing=growing,
        )

    def _watch(self, position: Position, ledger: Ledger) -> WatchReader:
        tails = Tails()
        local = not self.uri.startswith(S3_SCHEME)
        storage = LocalStorage(tails) if local else self.storage

        def splits(stored: StoredObject, coverage: Coverage) -> Iterator[Split]:
            stored_format = self._stored_format(stored.uri)
            return splits_of(self.uri, stored, coverage, stored_format, max(1, stored.size))

        def continues(stored: StoredObject) -> bool:
            stored_format = self._stored_format(stored.uri)
            appendable = stored_format is not None and stored_format.format != "parquet"
            return appendable and begins_as_read(stored, tails)

        def where_to_read_on(stored: StoredObject, end: int) -> int:
            return recall(stored, end, tails) if local else 0

        watched = WatchedStorage(
            list=lambda: storage.list(self.uri),
            splits=splits,
            open=lambda split: self._open(split, storage=storage),
            ledger=ledger,
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
