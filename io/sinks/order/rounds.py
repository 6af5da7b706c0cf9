"""In which rounds the records of a commit are written, so that the result is that of one at a time.

Within a round, nothing depends on whether the database accepts another record of the round, except
that records of one key follow one another. So a round takes of each key the next records that are
rows, each newer than the one before, or one delete. Whoever was refused has had no effect, and the next
round goes on with what is true then. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sinks.order.state import Claim, State, after, compare


@dataclass(slots=True)
class Round:
    """What is written next: the indices of records, in order.

    Attributes:
        rows: Records that are rows.
        deletes: Records that are deletes, of different keys, none of them one of ``rows``.
    """

    rows: list[int] = field(default_factory=list)
    deletes: list[int] = field(default_factory=list)


class Rounds:
    """The rounds of one commit.

    Args:
        keys: The key of each record; None for one that is refused already.
        claims: What each record says.
        states: How far keys have come.
        in_order: Whether rows of different keys may depend on one another, so that all are written in the
            order of the records.

    Attributes:
        states: How far keys have come by now.
        unknown: Records that nobody can compare with what their key has come to.
    """

    def __init__(
        self,
        keys: Sequence[Hashable | None],
        claims: Sequence[Claim],
        states: Mapping[Any, State],
        *,
        in_order: bool,
    ) -> None:
        self.states: dict[Any, State] = dict(states)
        self.unknown: list[int] = []
        self._keys = keys
        self._claims = claims
        self._in_order = in_order
        self._waiting: deque[int] = deque()
        self._queues: dict[Hashable, deque[int]] = {}
        for index, key in enumerate(keys):
            if key is None:
                continue
            if in_order:
                self._waiting.append(index)
            else:
                self._queues.setdefault(key, deque()).append(index)

    def next(self) -> Round | None:
        """The next round; None at the end. Call ``accepted`` with it before the one after that."""
        chosen = Round()
        if self._in_order:
            self._take(self._waiting, chosen, {})
        else:
            for key in list(self._queues):
                queue = self._queues[key]
                self._take(queue, chosen, {})
                if not queue:
                    del self._queues[key]
            chosen.rows.sort()
            chosen.deletes.sort()
        return chosen if chosen.rows or chosen.deletes else None

    def accepted(self, indices: Iterable[int]) -> None:
        """Take note of the records of a round that the database has accepted."""
        for index in sorted(indices):
            key = self._keys[index]
            self.states[key] = after(self._claims[index], self.states.get(key))

    def _take(self, queue: deque[int], chosen: Round, ahead: dict[Hashable, State]) -> None:
        """Move what may be written now from the beginning of ``queue`` to ``chosen``.

        Args:
            queue: Records in order.
            chosen: The round.
            ahead: How far keys will have come if all of the round is accepted.
        """
        kind: bool | None = None  # whether it takes deletes
        while queue:
            index = queue[0]
            key, claim = self._keys[index], self._claims[index]
            certain = compare(claim, self.states.get(key))
            if certain == "older" or (certain == "unknown" and key not in ahead):
                queue.popleft()
                if certain == "unknown":
                    self.unknown.append(index)
                continue
            if kind is not None and claim.delete != kind:
                return
            if key in ahead and (claim.delete or compare(claim, ahead[key]) != "newer"):
                return
            kind = claim.delete
            ahead[key] = after(claim, ahead.get(key, self.states.get(key)))
            (chosen.deletes if kind else chosen.rows).append(index)
            queue.popleft()
            if kind and not self._in_order:
                return
