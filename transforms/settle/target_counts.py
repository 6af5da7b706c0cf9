"""Counts by table: from what is settled to counters, and from the counters of a run back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from transforms import instruments, metrics
from transforms.batch.counts import COUNTS, OUTCOMES, Counts
from transforms.metrics import MOST_TARGETS, OF_TARGET, OTHER_TARGETS

_FINAL = frozenset(OUTCOMES) - {"retrying"}
"""Outcomes whose numbers never fall."""


def count(settled: Iterable[Mapping[str, Counts]]) -> None:
    """Count what the batches of a commit have settled for each table.

    Call it on the thread of the bundle, once a commit: counters cost more than sums.
    """
    sums: dict[str, Counts] = {}
    for by_target in settled:
        for target, counts in by_target.items():
            sums[target] = sums[target] + counts if target in sums else counts
    for target, counts in sums.items():
        label = metrics.count_target(target, counts)
        for name, number in counts:
            if number > 0 and name in _FINAL:
                instruments.add("table_records", number, label, name)


def by_target(counters: Mapping[str, int]) -> dict[str, Counts]:
    """The counts of each table, among the counters of a finished run.

    Each process of a run bounds the tables that it counts by name; together they may have more. Then
    those with the most records keep their names.

    Args:
        counters: Numbers by name, as ``pipelines.execution.execute`` returns them.

    Returns:
        Counts by table, in the order of the labels; at most ``MOST_TARGETS``, and last those of all
        others as ``OTHER_TARGETS``. Empty if nothing was routed.
    """
    numbers: dict[str, dict[str, int]] = defaultdict(dict)
    for name, number in counters.items():
        count_name, at, target = name.partition(OF_TARGET)
        if at and count_name in COUNTS:
            numbers[target][count_name] = number
    counts = {target: Counts(**values) for target, values in numbers.items()}
    others = counts.pop(OTHER_TARGETS, None)
    ranked = sorted(counts, key=lambda target: (-counts[target].records, target))
    for target in ranked[MOST_TARGETS:]:
        others = (others or Counts()) + counts[target]
    named = {target: counts[target] for target in sorted(ranked[:MOST_TARGETS])}
    return named if others is None else {**named, OTHER_TARGETS: others}
