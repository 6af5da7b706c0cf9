"""Plans the splits of a run once, and assigns each to one worker process."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence

from transforms.batch.coverage import Ledger
from transforms.batch.splits import Source, Split


class SplitEnumerator:
    """Assigns every split of some sources to exactly one worker. Used by several threads.

    Splits that end are planned as they are asked for, and go to whoever asks. Splits without an end are planned
    at the start, and every worker has its share for good.

    Args:
        sources: What is read.
        ledger: Knows what is settled.
        streaming: Whether splits have no end.
    """

    def __init__(self, sources: Sequence[Source], ledger: Ledger, *, streaming: bool) -> None:
        self._lock = threading.Lock()
        self._ended = False
        self._rest: Iterator[Split] = (
            split for source in sources for split in source.splits(ledger)
        )
        self._shares: defaultdict[int, deque[Split]] = defaultdict(deque)
        self._streaming = streaming
        self.error: Exception | None = None

    def share_out(self, workers: int) -> int:
        """Give each of so many workers its share of splits without end, in turns.

        Returns:
            How many workers have one.

        Raises:
            SourceUnavailable: A source cannot be reached.
        """
        for number, split in enumerate(self._rest):
            self._shares[number % workers].append(split)
        return len(self._shares)

    def next_for(self, worker: int) -> Split | None:
        """The next split for the worker of that number; None once there is none.

        What goes wrong in planning ends it, and is in ``error``.
        """
        with self._lock:
            if self._streaming:
                share = self._shares[worker]
                return share.popleft() if share else None
            if self._ended:
                return None
            try:
                split = next(self._rest, None)
            except Exception as error:  # noqa: BLE001 - raised by whoever waits for the workers
                self.error, split = error, None
            self._ended = split is None
            return split

    def end(self) -> None:
        """Assign nothing more: the run stops."""
        with self._lock:
            self._ended = True
            self._shares.clear()
