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
    """

    uri: str
    version: str
    size: int
    modified: float | None = field(default=None, compare=False)


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

    def read_at(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``; fewer only where the object ends.

        Raises:
            ObjectFailed: The object changed or vanished.
            SourceUnavailable: The storage cannot be reached, or refuses access.
        """
        ...

    def close(self) -> None:
        """Release the object; may be called twice."""
        ...


class Storage(Protocol):
    """Where objects live. Picklable, without clients and secrets."""

    def list(self, glob: str) -> Iterator[StoredObject]:
        """Every object that matches ``glob``, page by page, holding one page in memory.

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
            SourceUnavailable: The storage cannot be reached, or refuses access.
        """
        ...
