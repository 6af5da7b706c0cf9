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

from sinks.order.state import Claim, State, after, compare, passed


@dataclass(slots=True)
class Round:
    """What is written next: the indices of records, in order.

    Attributes:
        rows: Records that are rows.
        deletes: Records that are deletes, of different keys, none of them one of ``rows``.
    """

    rows: list[int] = field(default_factory=list)
    deletes: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Ahead:
    """What a key may have come to by the end of a round, whichever of its records are accepted.

    Attributes:
        state: If all are.
        positioned: Whether there is a position in any case.
        partition: The one partition that all possible states are from; None if there are several, or if
            one is from nobody knows where.
        first: The earliest place in it.
        last: The latest place in it.
    """

    state: State
    positioned: bool
    partition: tuple[str, str] | None
    first: tuple[int, int]
    last: tuple[int, int]

    @classmethod
    def of(cls, claim: Claim, state: State | None) -> _Ahead:
        """Behind the first record of a key, which is newer than ``state``."""
        partition: tuple[str, str] | None = claim.place[:2]
        first = last = claim.place[2:]
        positioned = claim.position is not None
        if state is not None:
            positioned = state.position is not None
            if state.place is None or state.place[:2] != partition:
                partition = None
            else:
                first, last = sorted((last, state.place[2:]))
        return cls(after(claim, state), positioned, partition, first, last)

    def is_behind(self, claim: Claim) -> bool:
        """Whether the record is newer than every possible state."""
        if compare(claim, self.state) != "newer":
            return False
        if claim.position is not None and self.positioned:
            return True
        return claim.place[:2] == self.partition and claim.place[2:] > self.last

    def is_before(self, claim: Claim, state: State | None) -> bool:
        """Whether a record that is older than ``state`` is older than every possible state, too."""
        if claim.position is None:
            return claim.place[:2] == self.partition and claim.place[2:] <= self.first
        before = None if state is None else state.position
        return self.positioned and before is not None and claim.position < before

    def add(self, claim: Claim, state: State | None) -> None:
        """Behind a further record, which is newer than every possible state."""
        self.state = after(claim, self.state)
        if claim.position is None and (state is None or state.position is None):
            self.positioned = False
        if claim.place[:2] != self.partition:
            self.partition = None
        self.first = min(self.first, claim.place[2:])
        self.last = max(self.last, claim.place[2:])


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

    def _take(self, queue: deque[int], chosen: Round, ahead: dict[Hashable, _Ahead]) -> None:
        """Move what may be written now from the beginning of ``queue`` to ``chosen``.

        Args:
            queue: Records in order.
            chosen: The round.
            ahead: What the keys of the round may have come to by its end.
        """
        kind: bool | None = None  # whether it takes deletes
        while queue:
            index = queue[0]
            key, claim = self._keys[index], self._claims[index]
            state, further = self.states.get(key), ahead.get(key)
            certain = compare(claim, state)
            if further is None and certain == "unknown":
                self.unknown.append(queue.popleft())
                continue
            if certain == "older" and (further is None or further.is_before(claim, state)):
                if state is not None:
                    self.states[key] = passed(claim, state)
                queue.popleft()
                continue
            if kind is not None and claim.delete != kind:
                return
            if further is None:
                ahead[key] = _Ahead.of(claim, state)
            elif claim.delete or not further.is_behind(claim):
                return
            else:
                further.add(claim, state)
            kind = claim.delete
            (chosen.deletes if kind else chosen.rows).append(index)
            queue.popleft()
            if kind and not self._in_order:
                return
