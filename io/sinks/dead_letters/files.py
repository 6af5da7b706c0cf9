"""Dead letters as JSON lines in a local folder: each process appends to a file of its own."""

from __future__ import annotations

import errno
import os
import re
import secrets
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote_from_bytes

from sinks.dead_letters.json_lines import chunks, json_line
from transforms.batch.record import Failure
from transforms.errors import ConfigError, SinkFailed, SinkUnavailable
from transforms.per_process import PerProcess

ROTATE_BYTES = 64 << 20

_REFUSED = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.EEXIST,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EINVAL,
    }
)
"""The folder is wrong or may not be written; anything else, e.g. a full disk, may pass."""


@dataclass(frozen=True, slots=True)
class DeadLetterFiles:
    """A folder of ``dead-letters-<UTC date>-<host>-<pid>-<random>.jsonl``.

    Every process has its own file, so that a line torn by a crash is the last line of its file.
    A process begins a new file at midnight UTC, and when the present one would become too large.

    Attributes:
        folder: Absolute path; created if it is missing.
        rotate_bytes: Size that no file exceeds unless it has only one delivery.
    """

    folder: str
    rotate_bytes: int = ROTATE_BYTES

    @property
    def writes_to(self) -> str:
        """An example of the name under which a source would read the dead letters."""
        path = os.fsencode(Path(self.folder, "dead-letters-example.jsonl"))
        return f"file://{quote_from_bytes(path)}"

    def check(self) -> None:
        """Create the folder, and a file in it that is deleted again.

        Raises:
            ConfigError: The folder cannot be created or written.
        """
        probe = Path(self.folder, f".dead-letters-check-{secrets.token_hex(8)}")
        try:
            _make_folder(Path(self.folder))
            os.close(_create(probe))
            probe.unlink()
        except OSError as error:
            raise ConfigError(
                f"cannot write dead letters to {self.folder}: {error.strerror}"
            ) from error

    def deliver(self, target: str, failures: Sequence[Failure]) -> None:
        """Append a line for each of ``failures``; returns once they are synced to disk."""
        at = utc_now()
        lines = (json_line(target, failure, at) for failure in failures)
        file = _files.get(self.folder)
        try:
            for chunk in chunks(lines):
                file.append(chunk, at.date().isoformat(), self.rotate_bytes)
        except OSError as error:
            kind = SinkFailed if error.errno in _REFUSED else SinkUnavailable
            raise kind(f"cannot write dead letters to {self.folder}: {error.strerror}") from error


class _File:
    """The file that this process appends to, and its successors; safe between threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._path = folder
        self._date = ""
        self._size = 0

    def append(self, lines: bytes, date: str, rotate_bytes: int) -> None:
        """Write and sync ``lines``; after an error the file has whole lines only, and is closed."""
        with self._lock:
            too_large = self._size > 0 and self._size + len(lines) > rotate_bytes
            if too_large or self._date != date or not self._has_its_name():
                self.close()
            if self._descriptor is None:
                self._open(date)
            assert self._descriptor is not None  # noqa: S101 - just opened
            try:
                view = memoryview(lines)
                while view:
                    view = view[os.write(self._descriptor, view) :]
                os.fsync(self._descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._descriptor, self._size)
                self.close()
                raise
            self._size += len(lines)

    def close(self) -> None:
        """Close the present file; the next lines begin another."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):  # everything written is synced
                os.close(descriptor)

    def _open(self, date: str) -> None:
        host = re.sub(r"[^A-Za-z0-9.]+", "-", socket.gethostname())[:64]
        name = f"dead-letters-{date}-{host}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        _make_folder(self._folder)
        self._path = self._folder / name
        self._descriptor = _create(self._path)
        self._date, self._size = date, 0
        try:
            _sync_folder(self._folder)
        except OSError:
            self.close()
            raise

    def _has_its_name(self) -> bool:
        """Whether the file still has its name: lines in a deleted file would be lost."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except OSError:
            return False


_files = PerProcess[str, _File](lambda folder: _File(Path(folder)))


def _create(path: Path) -> int:
    # Records may contain personal data: only owner and group may read them.
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o640)


def _make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents durably, if they are missing."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def utc_now() -> datetime:
    """The present time, which decides the date of a file."""
    return datetime.now(UTC)
