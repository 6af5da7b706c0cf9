"""Files on this machine as objects."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from urllib.parse import unquote_to_bytes

from sources.storage.globs import is_wild, literal_prefix, matcher, spells_hidden
from sources.storage.objects import HIDDEN, StoredObject
from sources.storage.tails import TAIL_BYTES, Tails
from transforms.errors import ConfigError, ObjectFailed, ObjectUnavailable, SourceUnavailable

SCHEME = "file://"
_PAGE = 10_000
_BLOCK_BYTES = 1 << 20
_OF_ONE_FILE = {
    *(errno.EACCES, errno.EPERM, errno.ELOOP, errno.EIO, errno.EINVAL, errno.EISDIR),
    *(errno.ENXIO, errno.ENODEV, errno.ENAMETOOLONG, errno.EOVERFLOW, errno.EBUSY),
}
"""Errors that concern one file or folder; any other means that the storage is away."""

_PLAIN_PATH = re.compile(r"(?:file://)?(/[!-$&-~]+)").fullmatch
"""An absolute path, or the URI of one, that needs no decoding."""

_PLAIN_NAME = re.compile(r"/[\w.~/-]+", re.ASCII).fullmatch
"""An absolute path that is the same in a URI."""


class LocalStorage:
    """Files by path or ``file://`` URI.

    Args:
        tails: Remembers what was read last where files may grow while they are read. A file
            that has only been appended to then counts as the version that was listed.
    """

    def __init__(self, tails: Tails | None = None) -> None:
        self._tails = tails

    def list(self, glob: str) -> Iterator[StoredObject]:
        """Every file that matches ``glob``, ordered by name within a directory.

        A directory of more than 10,000 entries is sorted in pages of that size. As in a shell,
        wildcards do not match names that begin with a dot, ``**`` does not follow links to
        directories, and a file whose name is ``glob`` itself is the only match. Names that begin
        with an underscore are passed over unless the glob spells it.
        """
        path = path_of(glob)
        if not is_wild(path) or os.path.lexists(path):
            if os.path.isdir(path):
                raise ConfigError(f"{glob} is a directory; add a glob, e.g. {glob.rstrip('/')}/*")
            try:
                stored = _stored(path)
            except OSError as error:
                raise _away(path, error) from error
            if stored is not None:
                yield stored
            return
        root, *segments = path.split("/")
        yield from _Walk(literal_prefix(path).rpartition("/")[0] + "/").matches(
            f"{root}/", segments
        )

    def matches(self, glob: str, uri: str) -> bool:
        """Whether ``glob`` stands for the file named ``uri``."""
        if not uri.startswith(SCHEME):
            return False
        path = path_of(uri)
        relative = not glob.startswith(("/", "~", SCHEME))
        pattern = _resolved(os.getcwd(), glob) if relative else path_of(glob)
        return path == pattern or matcher(pattern).fullmatch(path) is not None

    def open(self, uri: str, version: str) -> LocalFile:
        """Open the file at ``uri``."""
        return LocalFile(uri, version, self._tails)


class LocalFile:
    """One version of a file: every block is checked to come from it."""

    def __init__(self, uri: str, version: str, tails: Tails | None = None) -> None:
        self._uri = uri
        self._pinned = version
        self._tails = tails
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
        """No: the operating system reads ahead."""
        return False

    @property
    def content_encoding(self) -> str:
        """Empty: a file system does not say."""
        return ""

    def read_at(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset`` of the pinned version."""
        if self._descriptor is None:
            raise ValueError(f"{self._uri} is closed")
        try:
            block = os.pread(self._descriptor, length, offset)
            while len(block) < length:  # a network file system may return fewer bytes
                more = os.pread(self._descriptor, length - len(block), offset + len(block))
                if not more:
                    break
                block += more
        except OSError as error:
            raise _unreadable(self._uri, error) from error
        self._check()  # after the read: the bytes are of the pinned version
        if self._tails is not None:
            self._tails.note(self._uri, offset, block)
        return block

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _check(self) -> None:
        assert self._descriptor is not None  # noqa: S101 - callers have just checked
        status = os.fstat(self._descriptor)
        if _version(status) != self._pinned and not self._has_grown(status):
            raise ObjectFailed(f"{self._uri} changed after it was listed", "object_changed")

    def _has_grown(self, status: os.stat_result) -> bool:
        """Whether the version that was listed has only been appended to."""
        if self._tails is None or status.st_size < int(self._pinned.rpartition("-")[2], 16):
            return False
        assert self._descriptor is not None  # noqa: S101 - callers have just checked
        tail = self._tails.of(self._uri)
        if tail is None:
            return True  # nothing was read yet
        current = os.pread(self._descriptor, len(tail.data), tail.end - len(tail.data))
        return current == tail.data


def begins_as_read(stored: StoredObject, tails: Tails) -> bool:
    """Whether a file still has the bytes that were read of it last in the same place.

    Raises:
        ObjectUnavailable: Access to the file is refused.
        SourceUnavailable: The storage is away.
    """
    tail = tails.of(stored.uri)
    if tail is None or stored.size < tail.end:
        return False
    try:
        with open(path_of(stored.uri), "rb") as file:
            return os.pread(file.fileno(), len(tail.data), tail.end - len(tail.data)) == tail.data
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unreadable(stored.uri, error) from error


def recall(stored: StoredObject, end: int, tails: Tails) -> int:
    """Note the tail of a file that was read up to ``end``; returns where to read on if it grows.

    That is the start of its last line if that has no newline; 0 if it cannot be told.
    """
    try:
        file = LocalFile(stored.uri, stored.version)
    except (ObjectFailed, ObjectUnavailable, SourceUnavailable):
        return 0
    try:
        start = max(0, stored.size - TAIL_BYTES)
        data = file.read_at(start, stored.size - start)
    except (ObjectFailed, ObjectUnavailable, SourceUnavailable):
        return 0
    finally:
        file.close()
    tails.forget(stored.uri)
    tails.note(stored.uri, start, data)
    if end != stored.size or data.endswith(b"\n"):
        return end  # offsets are not those of the file, or the last line is whole
    return start + data.rfind(b"\n") + 1 if b"\n" in data else 0


def version_at(uri: str) -> StoredObject | None:
    """The file that has this name now; None if there is none, or it may not be looked at."""
    try:
        return _stored(path_of(uri))
    except OSError:
        return None


def path_of(uri: str) -> str:
    """The absolute path that a ``file://`` URI (percent-encoded) or a bare path names.

    >>> path_of("file:///data/a%20b.jsonl")
    '/data/a b.jsonl'
    """
    plain = _PLAIN_PATH(uri)
    if plain is not None and _is_normal(plain[1]):
        return plain[1]
    if "\0" in uri or "%00" in uri.partition(SCHEME)[2]:
        raise ConfigError(f"{uri!a} contains the character NUL, which no path does")
    if not uri.startswith(SCHEME):
        return os.path.abspath(os.path.expanduser(uri))
    host, slash, path = uri.removeprefix(SCHEME).partition("/")
    if host not in ("", "localhost") or not slash:
        raise ConfigError(f"{uri} does not name a file here; write file:///absolute/path")
    return os.path.normpath(os.fsdecode(unquote_to_bytes(f"/{path}")))


@lru_cache(maxsize=64)
def _resolved(folder: str, glob: str) -> str:
    return path_of(os.path.join(folder, glob))


def _uri_of(path: str) -> str:
    """The ``file://`` URI of an absolute path."""
    if _PLAIN_NAME(path) and _is_normal(path):
        return SCHEME + path
    return Path(path).as_uri()


def _is_normal(path: str) -> bool:
    """Whether ``normpath`` is sure to change nothing."""
    return not ("//" in path or "/." in path or path.endswith("/"))


def _stored(path: str) -> StoredObject | None:
    """The file at ``path``; None if it does not exist (any more) or is not a file.

    Raises:
        OSError: It cannot be looked at.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return StoredObject(_uri_of(path), _version(status), status.st_size, status.st_mtime)


def _version(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


class _Walk:
    """Goes through the folders that a glob means.

    Args:
        root: The folder that the glob names, without which there is nothing to list.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._closed: set[str] = set()

    def matches(self, folder: str, segments: list[str]) -> Iterator[StoredObject]:
        """What matches ``segments`` of a glob under ``folder`` (which ends in a slash)."""
        try:
            yield from self._matches(folder, segments)
        except OSError as error:
            if folder not in self._closed:  # ``**`` looks at it twice
                self._closed.add(folder)
                yield _refused(folder, error)

    def _matches(self, folder: str, segments: list[str]) -> Iterator[StoredObject]:
        head, *rest = segments
        if head == "**":
            if rest:
                yield from self.matches(folder, rest)
            yield from self._below(folder, segments)
        elif not is_wild(head):
            yield from self._at(folder + head, rest)
        else:
            pattern = matcher(head)
            for name, is_folder in self._entries(folder):
                if pattern.fullmatch(name) and (name[0] != "." or head[0] == "."):
                    if name[0] == "_" and _is_hidden(name) and not spells_hidden(head):
                        if is_folder == bool(rest):
                            yield _hidden(folder + name)
                    elif rest:
                        yield from self.matches(f"{folder}{name}/", rest)
                    elif (stored := _looked_up(folder + name)) is not None:
                        yield stored

    def _below(self, folder: str, segments: list[str]) -> Iterator[StoredObject]:
        """What matches ``segments``, the first of which is ``**``, in the folders below."""
        for name, is_folder in self._entries(folder):
            if name[0] == "." or (not is_folder and len(segments) > 1):
                continue
            elif name[0] == "_" and _is_hidden(name):
                yield _hidden(folder + name)
            elif is_folder:
                yield from self.matches(f"{folder}{name}/", segments)
            elif (stored := _looked_up(folder + name)) is not None:
                yield stored

    def _at(self, path: str, rest: list[str]) -> Iterator[StoredObject]:
        if rest:
            yield from self.matches(f"{path}/", rest)
        elif (stored := _looked_up(path)) is not None:
            yield stored

    def _entries(self, folder: str) -> Iterator[tuple[str, bool]]:
        """Names in ``folder``, and whether each one is a directory (a link to one is not).

        Raises:
            OSError: The folder cannot be listed.
            SourceUnavailable: The same of the folder that the glob names.
        """
        try:
            with os.scandir(folder) as scan:
                names = ((entry.name, entry.is_dir(follow_symlinks=False)) for entry in scan)
                while page := sorted(islice(names, _PAGE)):
                    yield from page
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            if folder == self._root:
                raise _away(folder, error) from error
            raise


def _looked_up(path: str) -> StoredObject | None:
    """The file at ``path``, also if it cannot be looked at; None if there is none."""
    try:
        return _stored(path)
    except OSError as error:
        return _refused(path, error)


def _is_hidden(name: str) -> bool:
    """Whether a name that begins with an underscore is not that of a partition."""
    return "=" not in name


def _hidden(path: str) -> StoredObject:
    return StoredObject(_uri_of(path), "", 0, passed_over=HIDDEN)


def _refused(path: str, error: OSError) -> StoredObject:
    """What may not be looked at.

    Raises:
        SourceUnavailable: The whole storage is away.
    """
    unreadable = _unreadable(path, error)
    if isinstance(unreadable, SourceUnavailable):
        raise unreadable from error
    return StoredObject(_uri_of(path), "", 0, refused=str(unreadable))


def _unreadable(name: str, error: OSError) -> ObjectUnavailable | SourceUnavailable:
    if error.errno in _OF_ONE_FILE:
        return ObjectUnavailable(_message(name, error))
    return _away(name, error)


def _away(name: str, error: OSError) -> SourceUnavailable:
    return SourceUnavailable(_message(name, error))


def _message(name: str, error: OSError) -> str:
    # A name may have bytes that are no text; no database would keep the message.
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return f"cannot read {text}: {error.strerror or error}"
