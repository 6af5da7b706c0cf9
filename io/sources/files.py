"""Files and S3 objects as a source: list what a glob matches, read what the ledger lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from clients.s3 import S3Settings
from sources.failures import FailedReader
from sources.formats import AUTO, Storing, check_format, storing_of
from sources.local import LocalStorage
from sources.objects import Storage, StoredObject
from sources.parquet import ParquetReader
from sources.plan import PAGE, Skipped, part_of, splits_of, unsettled
from sources.s3 import SCHEME as S3_SCHEME
from sources.s3 import S3Storage
from sources.text import TextReader
from sources.walk import WalkReader
from sources.watch import Watched, WatchReader
from transforms import metrics
from transforms.coverage import Coverage, Ledger
from transforms.errors import ConfigError, ObjectFailed
from transforms.splits import BatchLimits, Position, Reader, Split

_MAX_KEPT = 16
"""A record of more than so many times the largest one allowed is not kept whole."""


@dataclass(frozen=True, slots=True)
class FilesSource:
    """Local files (a path or ``file://``) or S3 objects (``s3://``), by name or by glob.

    Attributes:
        uri: What to read; ``*``, ``?``, ``[…]`` and ``**`` are wildcards.
        format: ``auto`` (by extension), ``jsonl``, ``csv`` or ``parquet``.
        limits: Bounds of a batch.
        max_record_bytes: Records up to 16 times as long are passed on whole, for Parse
            to reject; of longer ones only the head is kept.
        split_bytes: Plain JSON lines are read in ranges of so many bytes.
        s3: Where S3 is; credentials come from the AWS chain.
        walk: Read all objects one after another in a single split.
        watch: Keep looking for new objects, and new versions of known ones, for ever.
        poll_interval: Seconds between two looks.
        outage_budget: Seconds to wait for a storage that is away while watching.
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

    def __post_init__(self) -> None:
        check_format(self.format)
        for name in ("max_record_bytes", "split_bytes", "poll_interval", "outage_budget"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be greater than 0, got {getattr(self, name)}")

    @property
    def storage(self) -> Storage:
        """Where the objects are."""
        return S3Storage(self.s3) if self.uri.startswith(S3_SCHEME) else LocalStorage()

    def check(self) -> None:
        """Look at the first thousand objects: there are some, and their format is known."""
        listed = list(islice(self.storage.list(self.uri), PAGE))
        if not listed and not self.watch:
            raise ConfigError(f"nothing matches {self.uri}")
        for stored in listed:
            try:
                storing_of(stored.uri, self.format)
            except ObjectFailed as error:
                raise ConfigError(error.message) from error

    def owns(self, source: str) -> bool:
        """Whether the object named ``source`` is one that ``uri`` stands for."""
        return self.storage.matches(self.uri, source)

    def plan(self, ledger: Ledger) -> Iterator[Split | Skipped]:
        """What is left to read, and what need not be read again, lazily."""
        for stored, coverage in unsettled(self.storage.list(self.uri), ledger):
            if coverage.complete:
                yield Skipped(stored)
            else:
                yield from splits_of(
                    self.uri, stored, coverage, self._storing(stored.uri), self.split_bytes
                )

    def splits(self, ledger: Ledger) -> Iterator[Split]:
        """One split for everything when walking or watching; else those of the objects."""
        if self.walk or self.watch:
            yield Split(self.uri, self.uri)
        else:
            yield from self._unsettled(ledger)

    def _unsettled(self, ledger: Ledger) -> Iterator[Split]:
        """What is left to read of each object; counts it, and what is skipped."""
        for each in self.plan(ledger):
            if isinstance(each, Skipped):
                metrics.count("splits_skipped")
                metrics.count("bytes_skipped", each.stored.size)
            else:
                metrics.count("splits_planned")
                metrics.count("bytes_planned", each.size)
                yield each

    def open(self, split: Split, position: Position, ledger: Ledger) -> Reader:
        """A reader of ``split`` from ``position`` on; I/O begins with its first poll."""
        if self.watch:
            return self._watch(position, ledger)
        if self.walk:
            return WalkReader(self._unsettled(ledger), self._open)
        return self._open(split, position)

    def _open(self, split: Split, position: Position = ()) -> Reader:
        try:
            storing = storing_of(split.name, self.format)
        except ObjectFailed as error:
            return FailedReader(split, error)
        part = part_of(split, storing, position)
        if storing.format == "parquet":
            return ParquetReader(self.storage, part, self.limits)
        return TextReader(self.storage, part, self.limits, _MAX_KEPT * self.max_record_bytes)

    def _watch(self, position: Position, ledger: Ledger) -> WatchReader:
        def splits(stored: StoredObject, coverage: Coverage) -> Iterator[Split]:
            storing = self._storing(stored.uri)
            return splits_of(self.uri, stored, coverage, storing, max(1, stored.size))

        watched = Watched(
            list=lambda: self.storage.list(self.uri),
            splits=splits,
            open=self._open,
            ledger=ledger,
            interval=self.poll_interval,
            outage_budget=self.outage_budget,
        )
        return WatchReader(watched, position[0][1] if position else 0)

    def _storing(self, uri: str) -> Storing | None:
        try:
            return storing_of(uri, self.format)
        except ObjectFailed:
            return None
