"""What is left of a split: the restriction, its coder and its tracker."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
from apache_beam.coders import Coder
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.transforms.core import RestrictionProvider

from transforms.batch.splits import Position, Split


@dataclass(frozen=True, slots=True)
class Remaining:
    """The restriction: the part of a split that is still to be read.

    It is never falsy, because the SDK silently drops a falsy residual
    (apache_beam/runners/sdf_utils.py, ``deferred_status``).

    Attributes:
        position: Where to read on; empty for the start of the split.
        backlog: How much was left at that position, in the unit of the source.
        done: Whether nothing is left.
        generation: How often offsets of the pipeline had been forgotten when the position was noted
            (``transforms.read.control``).
    """

    position: Position = ()
    backlog: int = 0
    done: bool = False
    generation: int = 0


class RemainingCoder(Coder):
    """Deterministic and versioned: restrictions live in checkpoints and savepoints.

    Version 1, of before generations, is read as generation 0.
    """

    VERSION = b"\x02"
    _FIRST = b"\x01"

    def encode(self, value: Remaining) -> bytes:
        fields = (value.position, value.backlog, value.done, value.generation)
        return self.VERSION + msgspec.msgpack.encode(fields)

    def decode(self, encoded: bytes) -> Remaining:
        version, fields = encoded[:1], encoded[1:]
        if version == self.VERSION:
            return Remaining(*msgspec.msgpack.decode(fields, type=tuple[Position, int, bool, int]))
        if version == self._FIRST:
            return Remaining(*msgspec.msgpack.decode(fields, type=tuple[Position, int, bool]))
        raise ValueError(
            f"restriction was written by another version ({version!r}); "
            "start without this savepoint: the ledger knows where to resume"
        )

    def is_deterministic(self) -> bool:
        return True


class _Progress(RestrictionProgress):
    """Progress in claims, independent of the size of what was emitted.

    The worker would replace it by an estimate of the bytes emitted. That is NaN until a size has
    been sampled, and fails the bundle when the runner asks for a split
    (apache_beam/runners/worker/bundle_processor.py, ``_compute_split``).
    """

    def with_completed(self, completed: int) -> _Progress:
        return self


class SplitTracker(RestrictionTracker):
    """Tracks one split, which can be checkpointed at any time but not divided otherwise.

    Positions are opaque and their end is open, so a fraction of the remainder means nothing: only
    a checkpoint (fraction 0) is granted.
    """

    def __init__(self, remaining: Remaining, *, bounded: bool) -> None:
        self._remaining = remaining
        self._bounded = bounded
        self._claims = 0

    def current_restriction(self) -> Remaining:
        return self._remaining

    def try_claim(self, remaining: Remaining) -> bool:
        """Claim everything before ``remaining``. Returns False once checkpointed or done."""
        if self._remaining.done:
            return False
        self._remaining = remaining
        self._claims += 1
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[Remaining, Remaining] | None:
        if fraction_of_remainder != 0 or self._remaining.done:
            return None
        residual = self._remaining
        self._remaining = replace(residual, backlog=0, done=True)
        return self._remaining, residual

    def check_done(self) -> bool:
        if not self._remaining.done:
            raise ValueError(f"the split was left unread at {self._remaining.position}")
        return True

    def current_progress(self) -> RestrictionProgress:
        left = 0 if self._remaining.done else max(1, self._remaining.backlog)
        return _Progress(completed=self._claims, remaining=left)

    def is_bounded(self) -> bool:
        return self._bounded


class Restrictions(RestrictionProvider):
    """Gives each split its restriction, which at first is the whole split."""

    def __init__(self, *, bounded: bool) -> None:
        self._bounded = bounded

    def initial_restriction(self, split: Split) -> Remaining:
        return Remaining(backlog=split.size)

    def create_tracker(self, remaining: Remaining) -> SplitTracker:
        return SplitTracker(remaining, bounded=self._bounded)

    def restriction_size(self, split: Split, remaining: Remaining) -> int:
        # Called at every checkpoint, so it must not do I/O.
        return 0 if remaining.done else max(1, remaining.backlog)

    def restriction_coder(self) -> RemainingCoder:
        return RemainingCoder()

    def truncate(self, split: Split, remaining: Remaining) -> Remaining | None:
        """On a drain, a bounded split is read to its end, and an endless one stops here."""
        return remaining if self._bounded else None
