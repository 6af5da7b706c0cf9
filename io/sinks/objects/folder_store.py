"""Objects as files of a local folder: whole, synced, and replaced under a condition.

A file is written under a temporary name and then linked, which fails if its name is taken, or
renamed under the lock of the folder. The lock is advisory (``flock``), so every writer must be
this program; on network file systems it needs one that hands locks on, such as NFS version 4.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from sinks.objects.config import ObjectConfig
from sinks.objects.store import Data, ObjectChanged, ObjectExists, Stored
from transforms.errors import ConfigError, SinkFailed, SinkUnavailable

_REFUSED = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.EEXIST,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EINVAL,
    }
)
"""The folder is wrong or may not be written; anything else, e.g. a full disk, may pass."""

_TEMPORARY = "_temporary"
_LOCK = "lock"
_ABANDONED = 86_400.0  # seconds after which a temporary file is nobody's


@dataclass(frozen=True, slots=True)
class FolderStore:
    """A folder; implements ``ObjectStore``. Picklable.

    Attributes:
        config: Which folder.
        patience: Seconds to wait for the lock of the folder.
    """

    config: ObjectConfig
    patience: float = 10.0

    def check(self) -> None:
        """Create the folder, write a file and delete it, and what ended writers have left."""
        name = f"{_TEMPORARY}/check-{secrets.token_hex(8)}"
        try:
            self.create(name, b"")
            self.delete(name)
            self._sweep()
        except SinkFailed as error:
            raise ConfigError(str(error)) from error

    def create(self, name: str, data: Data) -> str:
        """Link a new file."""
        with self._faults(), self._written(data) as temporary:
            path = self._path(name)
            _make_folder(path.parent)
            try:
                os.link(temporary, path)
            except FileExistsError:
                raise ObjectExists(name) from None
            _sync_folder(path.parent)
            return _stored(path.stat()).etag

    def replace(self, name: str, data: Data, etag: str) -> str:
        """Rename a new file over the one with ``etag``."""
        with self._faults(), self._written(data) as temporary, self._locked():
            path = self._path(name)
            try:
                before = _stored(path.stat()).etag
            except FileNotFoundError:
                raise ObjectChanged(name) from None
            if before != etag:
                raise ObjectChanged(name)
            temporary.rename(path)
            _sync_folder(path.parent)
            return _stored(path.stat()).etag

    def head(self, name: str) -> Stored | None:
        """Ask for the state of the file."""
        with self._faults():
            try:
                return _stored(self._path(name).stat())
            except (FileNotFoundError, NotADirectoryError):
                return None

    def read(self, name: str) -> tuple[bytes, str] | None:
        """Read the file."""
        with self._faults():
            try:
                with self._path(name).open("rb") as file:
                    return file.read(), _stored(os.fstat(file.fileno())).etag
            except FileNotFoundError:
                return None

    def open(self, name: str) -> BinaryIO:
        """Open the file; what replaces it does not change the stream."""
        return cast(BinaryIO, self._path(name).open("rb"))

    def delete(self, name: str) -> None:
        """Remove the file."""
        with self._faults(), suppress(FileNotFoundError):
            self._path(name).unlink()

    def names(self, prefix: str = "") -> Iterator[tuple[str, Stored]]:
        """Walk through the folder."""
        root = self._path("")
        with self._faults():
            paths = sorted(
                path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
            )
        for name in paths:
            if name.startswith(prefix) and not name.startswith(f"{_TEMPORARY}/"):
                stored = self.head(name)
                if stored is not None:
                    yield name, stored

    def _path(self, name: str) -> Path:
        return Path(self.config.folder or "", name)

    @contextmanager
    def _written(self, data: Data) -> Iterator[Path]:
        """``data`` in a synced file without its name yet; it is gone afterwards."""
        temporary = self._path(f"{_TEMPORARY}/{secrets.token_hex(12)}")
        _make_folder(temporary.parent)
        try:
            with temporary.open("xb") as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    with data.open("rb") as source:
                        shutil.copyfileobj(source, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            with suppress(OSError):
                temporary.unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the folder; it ends with the process that holds it."""
        deadline = time.monotonic() + self.patience
        descriptor = os.open(self._path(f"{_TEMPORARY}/{_LOCK}"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise SinkUnavailable(
                            f"the lock of {self.config.url} is held by another writer"
                        ) from None
                    time.sleep(0.01)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kind = SinkFailed if error.errno in _REFUSED else SinkUnavailable
            raise kind(f"cannot write objects to {self.config.folder}: {error.strerror}") from error

    def _sweep(self) -> None:
        """Delete temporary files of writers that have ended long ago."""
        with self._faults():
            for path in self._path(_TEMPORARY).iterdir():
                with suppress(FileNotFoundError):  # its writer has not ended
                    if path.name != _LOCK and time.time() - path.stat().st_mtime > _ABANDONED:
                        path.unlink()


def _stored(status: os.stat_result) -> Stored:
    etag = f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"
    return Stored(etag, status.st_size)


def _make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents durably, if they are missing."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
