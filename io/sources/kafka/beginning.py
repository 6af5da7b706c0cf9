"""Decide where a partition begins, from what is already known of its topic. No I/O here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sources.kafka.label import id_of, stored_label
from transforms.batch.coverage import Coverage, Range


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a partition begins.

    Attributes:
        label: Its name in the ledger.
        offset: The first offset to read.
        pins: Ranges to record in the ledger although nothing of them is read. An empty one marks
            where the partition begins, so that a restart does not choose another beginning;
            others were settled under another name of the partition.
        recreated: Only an earlier topic of the same name was read before.
    """

    label: str
    offset: int
    pins: tuple[Range, ...] = ()
    recreated: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a topic before its partitions begin.

    Attributes:
        positions: The next offset of each partition, by its label, where the split resumes.
        settled: What the ledger has of each partition, by its label.
        earlier_ids: Ids of earlier topics of the same name that were read.
    """

    positions: Mapping[str, int]
    settled: Mapping[str, Coverage]
    earlier_ids: frozenset[str]

    @classmethod
    def of_topic(
        cls, topic_id: str, positions: Mapping[str, int], settled: Mapping[str, Coverage]
    ) -> History:
        """The history of the topic that has ``topic_id`` now; an empty id is an unknown one."""
        ids = {id_of(label) for label in (*settled, *positions)}
        return cls(positions, settled, frozenset(ids - {topic_id, ""}))

    def is_new(self, label: str) -> bool:
        """Whether nothing is known of the partition, nor of an earlier topic of its name."""
        return (
            not self.earlier_ids
            and stored_label(label, self.positions) is None
            and stored_label(label, self.settled) is None
        )

    def beginning(self, label: str, low: int, chosen: int | None, *, pinned: bool) -> Beginning:
        """Where the partition begins: at its position, otherwise at the first gap of the ledger.

        A partition of a topic that was created again begins at its first offset: what group and
        URI say was meant for the earlier topic. Any other begins where group or URI say.

        Args:
            label: The partition's name as the cluster gives it now.
            low: Its first offset that still exists.
            chosen: The offset that group or URI say, or None.
            pinned: Whether the ledger must remember ``chosen``.
        """
        beginning = self._at_position(label) or self._at_first_gap(label)
        if beginning is not None:
            return beginning
        if self.earlier_ids:
            return Beginning(label, low, ((low, low),), recreated=True)
        if chosen is None:
            return Beginning(label, low)
        return Beginning(label, chosen, ((chosen, chosen),) if pinned else ())

    def _at_position(self, label: str) -> Beginning | None:
        stored = stored_label(label, self.positions)
        return None if stored is None else Beginning(stored, self.positions[stored])

    def _at_first_gap(self, label: str) -> Beginning | None:
        stored = stored_label(label, self.settled)
        if stored is None or not self.settled[stored].ranges:
            return None
        if self.earlier_ids and not id_of(stored):
            return None  # a plain number may mean the earlier topic
        (_, end), *others = self.settled[stored].ranges
        if id_of(label) and not id_of(stored):
            # From now on under the label with the id, which tells the topic from a later namesake.
            return Beginning(label, end, ((end, end), *others))
        return Beginning(stored, end)
