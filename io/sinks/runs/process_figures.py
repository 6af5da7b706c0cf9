"""What only a process knows of itself and others want to see: it is written with its heartbeat."""

from __future__ import annotations

from transforms import instruments
from transforms.batch.backoff import services_away

Figures = dict[str, dict[str, float]]


def figures() -> Figures:
    """By name: ``lag``, in offsets by source, ``outage_seconds`` by service that is away, and
    ``columns_added`` and ``columns_widened`` by table, where there are any.
    """
    lags: dict[str, float] = {}
    measured = instruments.measured()
    for (source, _), lag in measured.gauges.get("source_lag_records", {}).items():
        lags[source] = lags.get(source, 0.0) + lag
    changed: Figures = {}
    for (table, how), number in measured.counters.get("columns_changed", {}).items():
        changed.setdefault(f"columns_{how}", {})[table] = number
    return {"lag": lags, "outage_seconds": services_away(), **changed}
