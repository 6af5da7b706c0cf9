"""Files and S3 objects as a source: list what a glob matches, read what the ledger lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from clients.s3 import S3Settings, refuse_credentials
from sources.files.aside.leaving import LeavingReader
from sources.files.aside.selection import KIND, Selection, set_aside
from sources.files.csv.options import CsvOptions
from sources.files.encodings import encoding_of
from sources.files.failures import Undecided
from sources.files.formats import (
    AUTO,
    LOOK,
    StoredFormat,
    check_compression,
    check_format,
    stored_format_of,
)
from sources.files.json.layout import LINES, Layout
from sources.files.json.options import JsonOptions
from sources.files.manner import Manners, Seen
from sources.files.opening import Opening
from sources.files.plan import (
    PAGE,
    Expected,
    LayoutsOf,
    SettledObject,
    SuccessionsOf,
    continued,
    part_of,
    splits_of,
    taking_over,
    unsettled,
)
from sources.files.versions.resting import RestingReader
from sources.files.versions.succession import Successions
from sources.files.walk import WalkReader
from sources.files.watch import WatchedStorage, WatchReader
from sources.storage.local import LocalStorage, begins_as_read, recall
from sources.storage.objects import Storage, StoredObject
from sources.storage.s3_names import SCHEME as S3_SCHEME
from sources.storage.tails import Tails
from transforms import metrics
from transforms.batch.coverage import Coverage, Ledger, VersionedLedger
from transforms.batch.expected import ExpectedFields
from transforms.batch.splits import Acknowledger, BatchLimits, Position, Reader, Split
from transforms.errors import ConfigError, ObjectFailed, ObjectUnavailable, SourceUnavailable

_CSV_CHECKED = 5
"""How many CSV objects are checked before a run."""


@dataclass(frozen=True, slots=True)
class FilesSource:
    """Local files (a path or ``file://``) or S3 objects (``s3://``), by name or by glob.

    Attributes:
        uri: What to read; ``*``, ``?``, ``[…]`` and ``**`` are wildcards.
        format: ``auto`` (by extension, or by looking), ``jsonl``, ``csv``, ``parquet`` or ``avro``.
        limits: Bounds of a batch.
        max_record_bytes: Of a longer record only the head of 64 KiB is kept; it fails.
        split_bytes: Length of the byte ranges in which plain JSON lines are read.
        s3: Where S3 is; credentials come from the AWS chain.
        walk: Read all objects one after another in a single split.
        watch: Keep looking for new objects, and for new versions of objects, forever.
        poll_interval: Seconds between two listings.
        outage_budget: Seconds to wait for a storage that is away while watching.
        rest_seconds: A file that ends early is whole after this many seconds without a write.
        csv: How CSV is written, as far as the user says; the rest is detected.
        json: How JSON is laid out, as far as the user says; the rest is detected.
        encoding: Of text, as Python names it; empty for UTF-8 or what a byte order mark says.
        expected: What the table expects of the header of CSV.
        compression: ``auto`` (by the first bytes), ``none``, or the one that all objects have.
        exclude: Globs of what is not read.
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
    rest_seconds: float = 0.0
    csv: CsvOptions = CsvOptions()  # noqa: RUF009 - frozen
    json: JsonOptions = JsonOptions()  # noqa: RUF009 - frozen
    encoding: str = ""
    expected: ExpectedFields = ExpectedFields()  # noqa: RUF009 - frozen
    compression: str = AUTO
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.uri.startswith(S3_SCHEME):
            refuse_credentials(self.uri)
        check_format(self.format)
        check_compression(self.compression)
        Selection(self.format, self.exclude)
        object.__setattr__(self, "encoding", self.encoding and encoding_of(self.encoding))
        for name in ("max_record_bytes", "split_bytes", "poll_interval"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be greater than 0, got {getattr(self, name)}")
        for name in ("rest_seconds", "outage_budget"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} must be 0 or more, got {getattr(self, name)}")

    @property
    def storage(self) -> Storage:
        """Where the objects are."""
        if not self.uri.startswith(S3_SCHEME):
            return LocalStorage()
        from sources.storage.s3 import S3Storage  # with botocore, which local files do not need

        return S3Storage(self.s3)

    @property
    def _opening(self) -> Opening:
        return Opening(
            self.storage,
            self._stored_format,
            self.limits,
            self.max_record_bytes,
            self.csv,
            self.expected,
            self._layout_wanted,
        )

    @property
    def streaming(self) -> bool:
        """Whether new objects are watched for."""
        return self.watch

    @property
    def open_ended(self) -> bool:
        """No: every object has an end."""
        return False

    @property
    def holds_several(self) -> bool:
        """No: each record has its own offset."""
        return False

    def expecting(self, fields: ExpectedFields) -> FilesSource:
        """This source, told which names the header of a CSV file may have."""
        return replace(self, expected=fields)

    def check(self) -> None:
        """Check that there are objects to read, and how the first CSV objects are written."""
        listed: list[StoredObject] = []
        aside: list[StoredObject] = []
        for stored in self._listed():
            if not (stored.passed_over or stored.refused):
                listed.append(stored)
                if len(listed) == PAGE:
                    break
            elif len(aside) < PAGE:
                aside.append(stored)
        if not listed:
            self._refuse_nothing(aside)
        self._refuse_undecided(listed)

    def _refuse_nothing(self, aside: list[StoredObject]) -> None:
        """Refuse a glob that matches nothing to read."""
        kind = next((stored for stored in aside if stored.passed_over == KIND), None)
        if kind is not None:
            raise ConfigError(f"cannot tell the format of {kind.uri} from its name; give --format")
        if self.watch or any(stored.refused for stored in aside):
            return  # there may be something later, or the run says what is wrong
        if aside:
            raise ConfigError(
                f"nothing to read matches {self.uri}: {aside[0].uri} is passed over "
                f"({aside[0].passed_over})"
            )
        raise ConfigError(f"nothing matches {self.uri}")

    def _refuse_undecided(self, listed: list[StoredObject]) -> None:
        """Refuse CSV that cannot be read without a further option, if that holds for all objects.

        If only some need it, they fail one by one.
        """
        checked = [
            stored
            for stored in listed
            if stored.size and self._stored_format(stored.uri).format in ("csv", LOOK)
        ][:_CSV_CHECKED]
        reasons = [self._undecided(stored) for stored in checked]
        if reasons and all(reasons):
            raise ConfigError(reasons[0])

    def _undecided(self, stored: StoredObject) -> str:
        """Why it cannot be told how an object is written; empty if it can be told."""
        stored_format = self._stored_format(stored.uri)
        try:
            if stored_format.format == LOOK:
                self._opening.look(self.storage, growing=self.watch).at(
                    self._whole(stored), stored_format
                )
            else:
                self._looked_at(stored)
        except Undecided as error:
            return error.message
        except (ObjectFailed, ObjectUnavailable, SourceUnavailable):
            pass  # the run reports it
        return ""

    def fixed(self) -> FilesSource:
        """This source: its splits depend on the objects and on what is settled of them alone."""
        return self

    def owns(self, source: str) -> bool:
        """Whether ``uri`` matches the object named ``source``."""
        return self.storage.matches(self.uri, source)

    def stored_schema(self) -> Any | None:
        """Arrow's schema (``pa.Schema``) if the first objects are all Parquet and share one.

        Raises:
            SourceUnavailable: The storage cannot be reached.
        """
        readable = [stored for stored in islice(self._listed(), PAGE) if not set_aside(stored)]
        if any(self._stored_format(stored.uri).format != "parquet" for stored in readable):
            return None
        from sources.files.parquet.footer import shared_schema  # with pyarrow

        return shared_schema(self.storage, readable)

    def plan(
        self, ledger: Ledger, expected: Expected | None = None
    ) -> Iterator[Split | SettledObject]:
        """The splits that are left to read, and the objects that are settled, lazily."""
        readable = (stored for stored in self._listed() if not set_aside(stored))
        manners = self._manners
        layouts_of: LayoutsOf = manners.layouts_of
        successions_of: SuccessionsOf = Successions(self._stored_format, layouts_of).of
        if isinstance(ledger, VersionedLedger) and ledger.is_empty():
            # A run that ends need not look for what it settles itself.
            layouts_of, successions_of = (lambda stored: ()), (lambda page, ledger: {})
        for stored, settled in unsettled(readable, ledger, layouts_of, successions_of, expected):
            if settled.coverage.complete and not settled.takes_over:
                yield SettledObject(stored)
                continue
            splits: Iterator[Split] = iter(())
            if not settled.coverage.complete:
                manner = manners.of(stored, settled)
                splits = splits_of(
                    *(self.uri, stored, settled.coverage, manner.stored_format),
                    *(self.split_bytes, manner.layout),
                )
            yield from taking_over(splits, self.uri, stored, settled)

    def _listed(self) -> Iterator[StoredObject]:
        """What the glob matches; what is not read says why."""
        return Selection(self.format, self.exclude).judged(self.storage.list(self.uri))

    @property
    def _manners(self) -> Manners:
        return Manners(self._stored_format, self._layout_wanted, self.split_bytes, self._looked_at)

    @property
    def _layout_wanted(self) -> Layout | None:
        """The layout of JSON that the options name; None to detect it."""
        if self.json.layout == AUTO and not self.json.path:
            return None
        return Layout("array" if self.json.path else self.json.layout, self.json.path)

    def _looked_at(self, stored: StoredObject) -> Seen:
        """Open an object and find out how it is written."""
        split, stored_format = self._whole(stored), self._stored_format(stored.uri)
        if stored_format.format == LOOK:
            stored_format = self._opening.look(self.storage, growing=self.watch).at(
                split, stored_format
            )
        if stored_format.format not in ("jsonl", "csv"):
            return Seen(LINES, in_order=True)
        reader = self._opening.text_reader(part_of(split, stored_format, ()), growing=self.watch)
        try:
            return Seen(reader.look(), reader.in_order)
        finally:
            reader.close()

    def _whole(self, stored: StoredObject) -> Split:
        return Split(self.uri, stored.uri, stored.version, stored.size)

    def splits(self, ledger: Ledger) -> Iterator[Split]:
        """One split for everything when walking or watching; otherwise those of the objects."""
        if self.walk or self.watch:
            yield Split(self.uri, self.uri)
        else:
            yield from self._unsettled(ledger)

    def _unsettled(self, ledger: Ledger) -> Iterator[Split]:
        """The splits that are left to read; counts them, and the objects that are skipped."""
        expected = Expected(self.uri)
        for planned in self.plan(ledger, expected):
            if isinstance(planned, SettledObject):
                metrics.count("splits_skipped")
                metrics.count("bytes_skipped", planned.stored.size)
            else:
                metrics.count("splits_planned")
                expected.split(planned.size)
                yield planned

    def open(self, split: Split, position: Position, ledger: Ledger) -> Reader:
        """A reader of ``split`` from ``position`` on; I/O begins with its first poll."""
        if self.watch:
            return self._watch(position, ledger)
        if self.walk:
            return WalkReader(self._unsettled(ledger), self._open_bounded(self._opening))
        reader = self._open_bounded(self._opening)(split, position)
        return LeavingReader(reader, position or (("", split.start),))

    def acknowledger(self) -> Acknowledger | None:
        """None: a storage does not want to know."""
        return None

    def _open_bounded(self, opening: Opening) -> Callable[..., Reader]:
        """Opens splits for a run that ends; a local file may be written on meanwhile."""
        if self.uri.startswith(S3_SCHEME) or not self.rest_seconds:
            return opening.open

        def open_resting(split: Split, position: Position = ()) -> Reader:
            storage = LocalStorage(Tails())
            if split.end is not None:
                return opening.open(split, position, storage)
            return RestingReader(
                *(split, position, self.rest_seconds),
                open_growing=lambda at: opening.open(split, at, storage, growing=True),
                open_whole=lambda at: opening.open(split, at),
            )

        return open_resting

    def _watch(self, position: Position, ledger: Ledger) -> WatchReader:
        tails = Tails()
        local = not self.uri.startswith(S3_SCHEME)
        storage = LocalStorage(tails) if local else self.storage
        manners, opening = self._manners, self._opening
        successions = Successions(self._stored_format, manners.layouts_of)

        def splits(
            stored: StoredObject, coverage: Coverage, layout: Layout | None
        ) -> Iterator[Split]:
            stored_format = self._stored_format(stored.uri)
            size = max(1, stored.size)
            return splits_of(self.uri, stored, coverage, stored_format, size, layout)

        def continues(stored: StoredObject) -> bool:
            stored_format = self._stored_format(stored.uri)
            appendable = stored_format.format != "parquet"
            return appendable and begins_as_read(stored, tails)

        def where_to_read_on(stored: StoredObject, end: int, layout: Layout) -> int:
            # In another layout, the last line may end within a record.
            return recall(stored, end, tails) if local and layout == LINES else 0

        watched = WatchedStorage(
            list=self._listed,
            splits=splits,
            settled=lambda page, reading: continued(
                page, ledger, manners.layouts_of, successions.of, reading
            ),
            layout=lambda stored, settled: manners.of(stored, settled).layout,
            open=lambda split: opening.open(split, storage=storage),
            interval=self.poll_interval,
            outage_budget=self.outage_budget,
            open_growing=lambda split: opening.open(split, storage=storage, growing=True),
            continues=continues,
            forget=tails.forget,
            recall=where_to_read_on,
            rest=self.rest_seconds,
        )
        return WatchReader(watched, position[0][1] if position else 0)

    def _stored_format(self, uri: str) -> StoredFormat:
        """How an object is stored, by its name.

        Raises:
            ObjectFailed: The name does not say it.
        """
        return stored_format_of(uri, self.format, self.encoding, self.compression)
