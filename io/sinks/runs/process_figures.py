"""What only a process knows of itself and others want to see: it is written with its heartbeat."""

from __future__ import annotations

from transforms import instruments
from transforms.batch.backoff import services_away

Figures = dict[str, dict[str, float]]


def figures() -> Figures:
    """By name: ``lag``, in offsets by source, and ``outage_seconds`` by service that is away."""
    lags: dict[str, float] = {}
    for (source, _), lag in instruments.measured().gauges.get("source_lag_records", {}).items():
        lags[source] = lags.get(source, 0.0) + lag
    return {"lag": lags, "outage_seconds": services_away()}
