"""docs/metrics.md lists exactly the metrics that there are, with their kinds and labels."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.telemetry.table import FROM_AUDIT, FROM_DATABASE, FROM_PROCESS, Metric

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "metrics.md").read_text()


def listed(section: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The kind and labels of each metric of a section of the page."""
    text = PAGE.partition(section)[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*)\|", text, re.MULTILINE)
    return {name: (kind, labels_of(cell)) for name, kind, cell in rows}


def labels_of(cell: str) -> tuple[str, ...]:
    """The labels that a cell names beside or instead of those that all metrics have."""
    named: list[str] = re.findall(r"`(\w+)`", cell.partition(" without ")[0])
    if "none" in cell:
        return ()
    if "only" in cell:
        return tuple(named)
    without = re.findall(r"without `(\w+)`", cell)
    return tuple(n for n in ("pipeline", "target") if n not in without) + tuple(
        n for n in named if n not in without
    )


def described(metrics: tuple[Metric, ...]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {metric.name: (metric.kind, metric.labels) for metric in metrics}


def test_the_page_lists_what_the_exporter_shows() -> None:
    assert listed("## From the database") == described((*FROM_DATABASE, *FROM_AUDIT))


def test_the_page_lists_what_a_process_shows() -> None:
    assert listed("## From the process") == described(FROM_PROCESS)


def test_a_counter_is_called_a_total_and_nothing_else_is() -> None:
    for metric in (*FROM_DATABASE, *FROM_AUDIT, *FROM_PROCESS):
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.name.startswith("sluice_")
