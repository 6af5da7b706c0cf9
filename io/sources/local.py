"""Files of this machine as objects."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import unquote_to_bytes

from sources.globs import is_wild, matcher
from sources.objects import StoredObject
from transforms.errors import ConfigError, ObjectFailed, SourceUnavailable

SCHEME = "file://"
_PAGE = 10_000
_BLOCK_BYTES = 1 << 20


class LocalStorage:
    """Files by path or ``file://`` URI."""

    def list(self, glob: str) -> Iterator[StoredObject]:
        """Every file that matches ``glob``; in the order of names within a directory.

        A directory of more than 10,000 entries is sorted in pages of so many. As in a
        shell, wildcards do not match names that begin with a dot, ``**`` does not follow
        links to directories, and a file whose very name is ``glob`` comes first.
        """
        path = path_of(glob)
        if not is_wild(path) or os.path.lexists(path):
            if os.path.isdir(path):
                raise ConfigError(f"{glob} is a directory; add a glob, e.g. {glob.rstrip('/')}/*")
            yield from _stored(path)
            return
        root, *segments = path.split("/")
        for found in _walk(f"{root}/", segments):
            yield from _stored(found)

    def matches(self, glob: str, uri: str) -> bool:
        """Whether ``glob`` stands for the file named ``uri``."""
        if not uri.startswith(SCHEME):
            return False
        path, pattern = path_of(uri), path_of(glob)
        return path == pattern or matcher(pattern).fullmatch(path) is not None

    def open(self, uri: str, version: str) -> LocalFile:
        """Open the file at ``uri``."""
        return LocalFile(uri, version)


class LocalFile:
    """One version of a file: every block is checked to come from it."""

    def __init__(self, uri: str, version: str) -> None:
        self._uri = uri
        self._pinned = version
        self._descriptor: int | None = None
        try:
            self._descriptor = os.open(path_of(uri), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise ObjectFailed(f"{uri} is gone", "object_missing") from error
        except OSError as error:
            raise _unreadable(uri, error) from error
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    @property
    def block_bytes(self) -> int:
        """1 MiB: a read costs little, and a block stays in the processor's cache."""
        return _BLOCK_BYTES

    @property
    def distant(self) -> bool:
        """No: the system reads ahead by itself."""
        return False

    def read_at(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset`` of the pinned version."""
        if self._descriptor is None:
            raise ValueError(f"{self._uri} is closed")
        try:
            block = os.pread(self._descriptor, length, offset)
            while len(block) < length:  # a network file system may give less than was asked
                more = os.pread(self._descriptor, length - len(block), offset + len(block))
                if not more:
                    break
                block += more
        except OSError as error:
            raise _unreadable(self._uri, error) from error
        self._check()  # after the read: what was read is of the pinned version
        return block

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _check(self) -> None:
        assert self._descriptor is not None  # noqa: S101 - callers have just checked
        if _version(os.fstat(self._descriptor)) != self._pinned:
            raise ObjectFailed(f"{self._uri} changed after it was listed", "object_changed")


def path_of(uri: str) -> str:
    """The absolute path that a ``file://`` URI (percent-encoded) or a bare path names.

    >>> path_of("file:///data/a%20b.jsonl")
    '/data/a b.jsonl'
    """
    if not uri.startswith(SCHEME):
        return os.path.abspath(os.path.expanduser(uri))
    host, slash, path = uri.removeprefix(SCHEME).partition("/")
    if host not in ("", "localhost") or not slash:
        raise ConfigError(f"{uri} does not name a file here; write file:///absolute/path")
    return os.path.normpath(os.fsdecode(unquote_to_bytes(f"/{path}")))


def _stored(path: str) -> Iterator[StoredObject]:
    """The file at ``path``, or nothing when it is none (any more)."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _unreadable(path, error) from error
    if stat.S_ISREG(status.st_mode):
        yield StoredObject(Path(path).as_uri(), _version(status), status.st_size)


def _version(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def _walk(folder: str, segments: list[str]) -> Iterator[str]:
    """Paths under ``folder`` (which ends in a slash) that ``segments`` of a glob stand for."""
    head, *rest = segments
    if head == "**":
        if rest:
            yield from _walk(folder, rest)
        for name, is_folder in _entries(folder):
            if name.startswith("."):
                continue
            if is_folder:
                yield from _walk(f"{folder}{name}/", segments)
            elif not rest:
                yield folder + name
    elif not is_wild(head):
        if rest:
            yield from _walk(f"{folder}{head}/", rest)
        else:
            yield folder + head
    else:
        pattern = matcher(head)
        for name, _ in _entries(folder):
            if name.startswith(".") and not head.startswith("."):
                continue
            if pattern.fullmatch(name):
                if rest:
                    yield from _walk(f"{folder}{name}/", rest)
                else:
                    yield folder + name


def _entries(folder: str) -> Iterator[tuple[str, bool]]:
    """Names in ``folder``, and whether each is a directory (a link to one is not)."""
    try:
        with os.scandir(folder) as scan:
            names = ((entry.name, entry.is_dir(follow_symlinks=False)) for entry in scan)
            while page := sorted(islice(names, _PAGE)):
                yield from page
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(name: str, error: OSError) -> SourceUnavailable:
    return SourceUnavailable(f"cannot read {name}: {error.strerror or error}")
