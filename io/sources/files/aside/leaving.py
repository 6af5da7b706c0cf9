"""Read one object as far as access to it is granted, and leave the rest for a later run."""

from __future__ import annotations

from sources.files.aside.selection import leave
from transforms.batch.splits import Polled, Position, Reader
from transforms.errors import ObjectUnavailable


class LeavingReader:
    """Ends a split where its object can no longer be read, without settling the rest.

    Args:
        reader: Reads the object.
        position: Where it begins.
    """

    def __init__(self, reader: Reader, position: Position) -> None:
        self._reader = reader
        self._position = position
        self._left = False

    def poll(self, timeout: float) -> Polled:
        """The next batches; the end, if the object cannot be read now.

        Raises:
            SourceUnavailable: The storage could not be reached, after retries.
        """
        if self._left:
            return Polled((), self._position, done=True)
        try:
            polled = self._reader.poll(timeout)
        except ObjectUnavailable as error:
            leave(str(error))
            self._left = True
            return Polled((), self._position, done=True)
        self._position = polled.position
        return polled

    def backlog(self) -> int:
        """What is left of the object to read now."""
        return 0 if self._left else self._reader.backlog()

    def close(self) -> None:
        """Close the object."""
        self._reader.close()
