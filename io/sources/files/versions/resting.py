"""Read a file that may still be being written, in a run that ends."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from sources.files.json.layout import parsed_partition
from sources.storage.local import path_of, version_at
from transforms import notes
from transforms.batch.backoff import Clock
from transforms.batch.splits import Polled, Position, Reader, Split
from transforms.read import drain

STILL_WRITTEN = "still being written: what follows the last whole record is left to the next run"
_LONGEST = 1 << 20

Open = Callable[[Position], Reader]


class RestingReader:
    """Reads whole records; waits before it takes an end that may not be the end of the file.

    That is a last line without a newline, or data that end early. Once nobody has written to the
    file for a while, that is its end. If it grows meanwhile, what follows is left to the next run.

    Args:
        split: The file, up to its end.
        position: Where to read on.
        rest: Seconds without a write after which a file is whole.
        open_growing: Opens it so that what is not whole is left.
        open_whole: Opens it so that everything is read.
        wall: Seconds since the epoch.
    """

    def __init__(
        self,
        split: Split,
        position: Position,
        rest: float,
        open_growing: Open,
        open_whole: Open,
        wall: Clock = time.time,
    ) -> None:
        self._split = split
        self._position = position or (("", split.start),)
        self._rest = rest
        self._open_whole = open_whole
        self._wall = wall
        self._reader = open_growing(position)
        self._deadline: float | None = None
        self._decided = False
        self._ended = False

    def poll(self, timeout: float) -> Polled:
        """The next batches; while the file rests, none."""
        if self._ended:
            return Polled((), self._position, done=True)
        if self._deadline is not None and not self._decided:
            return self._wait(timeout)
        polled = self._reader.poll(timeout)
        self._position = polled.position
        final = bool(polled.batches) and polled.batches[-1].span.final
        if not polled.done or self._decided or final:
            self._ended = polled.done
            return polled
        self._deadline = self._wall() + self._rest
        return Polled(polled.batches, self._position, content_of=polled.content_of)

    def backlog(self) -> int:
        """What is left to read."""
        return 0 if self._ended else self._reader.backlog()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _wait(self, timeout: float) -> Polled:
        """Decide what the end of the file is, once that can be told."""
        split = self._split
        version = parsed_partition(split.version)[0]
        there = version_at(split.name)
        if there is not None and there.version != version:
            if there.size >= int(version.rpartition("-")[2], 16):
                notes.note("continued", STILL_WRITTEN, split.name)
                self._ended = True
                return Polled((), self._position, done=True)
        elif there is not None and not self._is_one_value():
            written = there.modified or 0.0
            left = min(written + self._rest, self._deadline or 0.0) - self._wall()
            if left > 0:
                drain.wait(min(left, timeout))
                self._ended = drain.requested()
                return Polled((), self._position, done=self._ended)
        self._decided = True
        self._reader.close()
        self._reader = self._open_whole(self._position)
        return Polled((), self._position)

    def _is_one_value(self) -> bool:
        """Whether what is left is one JSON object or array, which only lacks a newline."""
        try:
            with open(path_of(self._split.name), "rb") as file:
                file.seek(self._position[0][1])
                rest = file.read(_LONGEST).strip()
            if rest[:1] in (b"{", b"["):
                msgspec.json.decode(rest, type=msgspec.Raw)
                return True
        except (OSError, msgspec.DecodeError, RecursionError):
            pass
        return False
