"""Read the objects of a source one after another, listing them as it goes.

Where one thread reads everything, one split for each object would only fill memory: the runner
keeps all splits of a bundle, about 600 bytes each. Walking a million objects takes no more memory
than walking ten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sources.files.aside.selection import leave
from transforms import instruments, metrics
from transforms.batch.splits import Polled, Position, Reader, Split
from transforms.errors import ObjectUnavailable


class WalkReader:
    """Reads split after split, each to its end, or as far as access is granted.

    A position is the number of batches so far and does not say what was read: a reader that is
    opened anew asks the ledger. A reader that has raised must not be used again.

    Args:
        splits: What is left to read, lazily.
        open_split: Opens one of them at its start.
    """

    def __init__(self, splits: Iterator[Split], open_split: Callable[[Split], Reader]) -> None:
        self._splits = splits
        self._open = open_split
        self._reader: Reader | None = None
        self._left, self._source = 0, ""
        self._count = 0

    def poll(self, timeout: float) -> Polled:
        """The next batches of the current split, or the end.

        Raises:
            SourceUnavailable: The storage could not be reached, after retries.
        """
        if self._reader is None:
            split = next(self._splits, None)
            if split is None:
                return Polled((), self._position, done=True)
            self._left, self._source = split.size, split.source
            self._reader = self._open(split)
        try:
            polled = self._reader.poll(timeout)
        except ObjectUnavailable as error:
            leave(str(error))
            polled = Polled((), (), done=True)
        left = 0 if polled.done else self._reader.backlog()
        done = max(0, self._left - left)
        metrics.count("bytes_read", done)
        instruments.add("stored_bytes_read", done, self._source)
        self._left = left
        if polled.done:
            self._reader.close()
            self._reader = None
        self._count += len(polled.batches)
        return Polled(
            polled.batches, self._position, watermark=polled.watermark, content_of=polled.content_of
        )

    def backlog(self) -> int:
        """What is left of the current object; what follows it is not known."""
        return self._left

    def close(self) -> None:
        """Close the current object."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @property
    def _position(self) -> Position:
        return (("", self._count),)
