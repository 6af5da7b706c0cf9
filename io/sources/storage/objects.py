"""What readers need from a storage: list what matches a glob, read ranges of one pinned object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as it was listed.

    Attributes:
        uri: Absolute: ``file:///…`` (percent-encoded) or ``s3://bucket/key`` (the key as it is).
        version: Changes with the content: ETag on S3, modification time and size of a file.
        size: Bytes as stored.
        modified: When it was last written, in seconds since the epoch; None if an object only
            appears once it is whole.
        passed_over: Why the object is not read although the glob matches it; empty if it is.
        refused: Why it cannot even be looked at (then it has no version); empty if it can.
    """

    uri: str
    version: str
    size: int
    modified: float | None = field(default=None, compare=False)
    passed_over: str = ""
    refused: str = ""


HIDDEN = "names that begin with _ or ."
"""Why an object is passed over that a wildcard does not mean."""


class PinnedObject(Protocol):
    """The bytes of one version of an object, and of no other.

    Used by one thread at a time.
    """

    @property
    def block_bytes(self) -> int:
        """The length of a read that suits the storage."""
        ...

    @property
    def distant(self) -> bool:
        """Whether a block takes so long that the next one should be fetched meanwhile."""
        ...

    @property
    def content_encoding(self) -> str:
        """How the storage says that the object is compressed; known after the first read."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``; fewer only where the object ends.

        Raises:
            ObjectFailed: The object changed or vanished.
            ObjectUnavailable: Access to this object is refused, or it is archived.
            SourceUnavailable: The storage cannot be reached, or refuses the credentials.
        """
        ...

    def close(self) -> None:
        """Release the object; may be called twice."""
        ...


class Storage(Protocol):
    """Where objects live. Picklable, without clients and secrets."""

    def list(self, glob: str) -> Iterator[StoredObject]:
        """Every object that matches ``glob``, page by page, holding one page in memory.

        What a wildcard matches but is not read, and what cannot be looked at, is listed as such.

        Raises:
            ConfigError: The glob can never match, e.g. it names a directory or no bucket.
            SourceUnavailable: The storage cannot be reached, or refuses access.
        """
        ...

    def matches(self, glob: str, uri: str) -> bool:
        """Whether ``glob`` stands for the object named ``uri``, without I/O."""
        ...

    def open(self, uri: str, version: str) -> PinnedObject:
        """Open that version of the object for reading.

        Raises:
            ObjectFailed: It has another version now, or is gone.
            ObjectUnavailable: Access to this object is refused.
            SourceUnavailable: The storage cannot be reached.
        """
        ...
