"""Where the ranges of a commit are cut: at the boundaries of the intents that are open. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from transforms.batch.coverage import Coverage, Range, merge


class ObjectId(NamedTuple):
    """Which object: the URL of its sink, the label of its dataset, and its name within the sink."""

    sink: str
    target: str
    name: str


@dataclass(frozen=True, slots=True)
class Intent:
    """A range that a writer is about to write as objects, or was, when it was stopped.

    Attributes:
        pipeline: That reads the range.
        source: As in ``Origin``; empty for jobs.
        partition: As in ``Origin``; of jobs, the id of their claim.
        start: First offset; 0 for jobs.
        end: First offset after the range; 0 for jobs.
        id: A part of the names of its objects.
        fence: One more whenever another attempt takes it over.
        objects: What is written, as far as anybody has said.
        age: Seconds since it was entered or taken over.
    """

    pipeline: str
    source: str
    partition: str
    start: int
    end: int
    id: str
    fence: int = 1
    objects: tuple[ObjectId, ...] = ()
    age: float = field(default=0.0, compare=False)

    def touches(self, ranges: Iterable[Range]) -> bool:
        """Whether it has an offset of one of ``ranges``."""
        return any(self.start < high and low < self.end for low, high in ranges)

    @property
    def is_of_jobs(self) -> bool:
        """Whether its records are jobs."""
        return not self.source


@dataclass(slots=True)
class Cuts:
    """How the ranges of one partition are cut.

    Attributes:
        repeated: Open intents whose ranges are written again, with exactly their boundaries.
        new: Ranges that no open intent has.
        retired: Open intents that cannot be repeated: their objects never become part of a dataset.
    """

    repeated: list[Intent] = field(default_factory=list)
    new: list[Range] = field(default_factory=list)
    retired: list[Intent] = field(default_factory=list)


def cut(ranges: Iterable[Range], intents: Sequence[Intent], settled: Coverage) -> Cuts:
    """Cut the ranges that a commit settles, which touch no settled one.

    An intent outside of the ranges stays open: another commit may repeat it, unless a part of it is
    settled already.
    """
    merged = merge(ranges)
    cuts = Cuts()
    position = 0
    for intent in sorted(intents, key=lambda intent: intent.start):
        own = (intent.start, intent.end)
        inside = any(low <= own[0] and own[1] <= high for low, high in merged)
        if inside and own[0] >= position:  # where no lock holds writers off, intents may overlap
            cuts.repeated.append(intent)
            position = own[1]
        elif intent.touches(merged) or settled.gaps(*own) != [own]:
            cuts.retired.append(intent)
    for low, high in merged:
        position = low
        for intent in cuts.repeated:
            if low <= intent.start and intent.end <= high:
                if position < intent.start:
                    cuts.new.append((position, intent.start))
                position = max(position, intent.end)
        if position < high:
            cuts.new.append((position, high))
    return cuts
