"""What the object sink asks of a bucket or folder: whole objects, each written under a condition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

Data = bytes | Path
"""The content of an object: bytes, or the file that has them."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object that is there.

    Attributes:
        etag: Names this very content; another one as soon as the object is replaced.
        bytes: Its size.
    """

    etag: str
    bytes: int


class ObjectExists(Exception):
    """An object was to be created, and there is one of its name."""


class ObjectChanged(Exception):
    """An object was to be replaced, and it is not the one that was seen before, or is gone."""


class ObjectStore(Protocol):
    """A bucket or folder. Used by several threads; each object is there as a whole or not at all.

    Names are relative to the prefix, with ``/`` between folders. Every method may raise

    - ``SinkUnavailable``: it cannot be reached, or asks to wait; the change may have been made;
    - ``SinkFailed``: it refuses, and waiting would not help.
    """

    def check(self) -> None:
        """Check that objects can be written, read and deleted here.

        Raises:
            ConfigError: They cannot.
            SinkUnavailable: It cannot be reached.
        """
        ...

    def create(self, name: str, data: Data) -> str:
        """Write an object that is not there. Returns its etag.

        Raises:
            ObjectExists: It is there.
        """
        ...

    def replace(self, name: str, data: Data, etag: str) -> str:
        """Write an object in place of the one with ``etag``. Returns the etag of the new one.

        Raises:
            ObjectChanged: It has another etag, or is not there.
        """
        ...

    def head(self, name: str) -> Stored | None:
        """What is there under ``name``, or None."""
        ...

    def read(self, name: str) -> tuple[bytes, str] | None:
        """The content of a small object and its etag, or None if there is none."""
        ...

    def open(self, name: str) -> BinaryIO:
        """A seekable stream of the object as it is now; reads what is asked for only.

        Raises:
            FileNotFoundError: It is not there.
            ObjectChanged: While it is read: it was replaced.
        """
        ...

    def delete(self, name: str) -> None:
        """Delete an object; nothing if it is not there."""
        ...

    def names(self, prefix: str = "") -> Iterator[tuple[str, Stored]]:
        """Every object whose name begins with ``prefix``, ordered by name."""
        ...
