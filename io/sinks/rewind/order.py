"""What to forget, what would be forgotten, and why that is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sinks.ledger.ranges import Partition
from transforms.batch.counts import Counts
from transforms.batch.coverage import Range
from transforms.batch.job_states import DEAD_STATES, UNFINISHED_STATES
from transforms.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Rewind:
    """What to forget.

    Attributes:
        pipeline: Whose ledger.
        places: The partitions.
        start: The first offset.
        end: The offset behind the last; None for all that follow.
    """

    pipeline: str
    places: tuple[Partition, ...]
    start: int
    end: int | None = None

    def __post_init__(self) -> None:
        if self.start < 0:
            raise ConfigError(f"an offset is 0 or more, got {self.start}")
        if self.end is not None and self.end <= self.start:
            raise ConfigError(f"nothing lies from offset {self.start} to before {self.end}")

    def as_json(self, place: Partition) -> dict[str, Any]:
        """What it asks for in one partition, for the audit trail."""
        source, partition = place
        return {
            "pipeline": self.pipeline,
            "source": source,
            "partition": partition,
            "from_offset": self.start,
            "to_offset": self.end,
        }


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What is forgotten of one partition, or would be.

    Attributes:
        source: As in ``Origin``.
        partition: As in ``Origin``.
        ranges: What was settled of it.
        jobs: How many of its jobs are removed, by table and stored state.
        counts: What the records of the whole partition had become before.
        end: Where the partition ends, if that was known.
    """

    source: str
    partition: str
    ranges: tuple[Range, ...]
    jobs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    counts: Counts = Counts()  # noqa: RUF009 - frozen
    end: int | None = None

    @property
    def place(self) -> Partition:
        """Source and partition."""
        return self.source, self.partition

    @property
    def offsets(self) -> int:
        """How many offsets are forgotten."""
        return sum(high - low for low, high in self.ranges)

    @property
    def removed(self) -> int:
        """How many jobs are removed."""
        return sum(self.jobs.values())

    @property
    def moves(self) -> dict[str, Counts]:
        """By table, what the ledger counts differently once the jobs are gone."""
        moves: dict[str, Counts] = {}
        for (target, state), number in self.jobs.items():
            move = Counts()
            if state in DEAD_STATES:
                move = Counts(dead=-number, rewound=number)
            elif state in UNFINISHED_STATES:
                move = Counts(retrying=-number, rewound=number)
            moves[target] = moves.get(target, Counts()) + move
        return moves

    @property
    def states(self) -> dict[str, int]:
        """How many jobs are removed, by state."""
        states: dict[str, int] = {}
        for (_, state), number in sorted(self.jobs.items()):
            states[state] = states.get(state, 0) + number
        return states


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rewind has done, or would do.

    Attributes:
        forgotten: By partition.
        generation: Of the pipeline, afterwards; before, in a preview.
        obstacle: Why it would be refused now; empty if it would not.
    """

    forgotten: Sequence[Forgotten]
    generation: int
    obstacle: str = ""
