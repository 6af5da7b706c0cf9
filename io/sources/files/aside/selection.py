"""Which of the objects that a glob matches are read; the others are counted and named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from re import Pattern
from urllib.parse import unquote

from sources.files.formats import AUTO, LOOK, known_format_of
from sources.storage.globs import matcher
from sources.storage.local import SCHEME as FILE_SCHEME
from sources.storage.local import path_of
from sources.storage.objects import StoredObject
from sources.storage.s3_names import SCHEME as S3_SCHEME
from sources.storage.s3_names import bucket_and_key
from transforms import metrics, notes
from transforms.errors import ConfigError

KIND = "kinds that are not read"
EXCLUDED = "excluded by --exclude"
MARKER = "markers of folders"
_FOLDERS = ("_$folder$", "_%24folder%24")


@dataclass(frozen=True, slots=True)
class Selection:
    """Chooses among listed objects by name.

    Attributes:
        format: ``--format``; with ``auto``, names of unknown kinds are passed over.
        exclude: Globs. One without a slash is for the last part of names, any other for whole
            paths or URIs; one that begins with ``**/`` matches anywhere.
    """

    format: str = AUTO
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(self.exclude):
            raise ConfigError("--exclude is empty; give a glob, e.g. '*.tmp'")

    def judged(self, listed: Iterable[StoredObject]) -> Iterator[StoredObject]:
        """``listed``, where each object that is not read says why."""
        for stored in listed:
            if stored.passed_over or stored.refused or not (reason := self._reason(stored)):
                yield stored
            else:
                yield replace(stored, passed_over=reason)

    def _reason(self, stored: StoredObject) -> str:
        """Why an object is passed over; empty if it is read."""
        uri = stored.uri
        if uri.endswith(_FOLDERS):
            return MARKER
        if self.exclude and any(_is_excluded(uri, glob) for glob in self.exclude):
            return EXCLUDED
        if self.format == AUTO:
            stored_format = known_format_of(uri, self.format)
            if stored_format is None:
                return KIND
            if not stored.size and stored_format.format == LOOK:
                return MARKER
        return ""


def set_aside(stored: StoredObject) -> bool:
    """Whether an object is not to be read; if so, it is counted and noted."""
    if stored.passed_over:
        metrics.count("objects_passed_over")
        notes.note("passed_over", stored.passed_over, stored.uri)
    elif stored.refused:
        leave(stored.refused)
    return bool(stored.passed_over or stored.refused)


def leave(message: str) -> None:
    """Count and note an object, or the rest of one, that cannot be read now.

    What is not settled of it is read by the next run.
    """
    metrics.count("objects_unavailable")
    notes.note("unavailable", "", message)


def _is_excluded(uri: str, glob: str) -> bool:
    local = uri.startswith(FILE_SCHEME)
    if "/" not in glob:
        name = uri.rsplit("/", 1)[-1]
        return matcher(glob).fullmatch(unquote(name) if local else name) is not None
    path = path_of(uri) if local else bucket_and_key(uri)[1]
    if not local and glob.startswith(S3_SCHEME):
        path = uri.removeprefix(S3_SCHEME)
    if glob.startswith("**/"):
        path = path.removeprefix("/")
    return _path_pattern(glob, local=local).fullmatch(path) is not None


@lru_cache(maxsize=64)
def _path_pattern(glob: str, *, local: bool) -> Pattern[str]:
    if glob.startswith("**/"):
        return matcher(glob)
    return matcher(path_of(glob) if local else glob.removeprefix(S3_SCHEME))
