"""What a process that runs a pipeline shows of itself: metrics, and whether it is well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from pipelines.telemetry.server import Health
from pipelines.telemetry.table import FROM_PROCESS
from sinks.control import polling
from sinks.database import engine, leases
from sinks.runs.process_figures import figures
from transforms import instruments
from transforms.batch.backoff import services_away
from transforms.instruments import BOUNDS, Buckets, Gauge, Labels, Measured

STALLED_SECONDS = 300.0
"""A process that has something to read and has not committed for this long is not ready."""


@dataclass(frozen=True, slots=True, eq=False)
class ProcessMetrics(Collector):
    """The metrics of a process, and the answers of its probes.

    Attributes:
        labels: Returns the values of ``pipeline`` and ``target``.
        build: The versions, and the runner's name.
    """

    labels: Callable[[], Mapping[str, str]]
    build: Mapping[str, str]
    _highest: dict[str, float] = field(default_factory=dict, init=False)
    """What was last shown of a counter that is a difference: rounding must not let it fall."""

    def collect(self) -> Iterator[Metric]:
        """Everything that the process measures, as of now."""
        now, labels = instruments.measured(), self.labels()
        series: dict[str, Mapping[Labels, float]] = {
            **self._counters(now),
            **_gauges(now),
            "sluice_outage_seconds": {(name,): away for name, away in services_away().items()},
            "sluice_paused": {
                ("",): 0.0,
                **{(row.source,): float(row.holds) for row in polling.asked()},
            },
            "sluice_rate_share": _shares(),
            "sluice_leases": {(): leases.number() + sum(_of_workers(now, "leases").values())},
            "sluice_connections": {
                (state,): n + _of_workers(now, "connections").get((state,), 0.0)
                for state, n in engine.connections().items()
            },
        }
        for metric in FROM_PROCESS:
            names = metric.labels
            if metric.name == "sluice_build_info":
                yield _plain("gauge", metric.name, metric.meaning, self.build, {(): 1.0})
            elif metric.kind == "histogram":
                yield _histogram(metric.name, metric.meaning, names, labels, now)
            else:
                values = series.get(metric.name, {})
                yield _labelled(metric.kind, metric.name, metric.meaning, names, labels, values)

    def _counters(self, now: Measured) -> dict[str, dict[Labels, float]]:
        series = {f"sluice_{name}_total": values for name, values in now.counters.items()}
        stages = dict(series.get("sluice_stage_seconds_total", {}))
        # The bundles' thread does nothing else at the same time, so that the rest is Beam's own.
        rest = now.at - now.started - now.unnamed - sum(stages.values())
        stages["other",] = self._highest["other"] = max(rest, self._highest.get("other", 0.0))
        return {**series, "sluice_stage_seconds_total": stages}

    def live(self) -> Health:
        """A process that answers is alive: what it waits for, a restart would not bring back."""
        return Health(True)

    def ready(self) -> Health:
        """Whether its services answer, and what there is to read is committed, unless it is held."""
        held = polling.held()
        control = [
            {"source": row.source, "state": row.state, "actor": row.actor, "reason": row.reason}
            for row in held
        ]
        return Health.of(_reasons(held=bool(held)), {**figures(), "control": control})


def _reasons(*, held: bool) -> Iterator[str]:
    now = figures()
    for service, seconds in sorted(now["outage_seconds"].items()):
        yield f"{service} has been away for {seconds:.0f} s"
    idle = instruments.seconds_since_commit()
    lag = sum(now["lag"].values())
    if lag and idle > STALLED_SECONDS and not held:
        yield f"nothing was committed for {idle:.0f} s, and {lag:.0f} records can be read"


def _gauges(now: Measured) -> dict[str, dict[Labels, float]]:
    series = {f"sluice_{name}": values for name, values in now.gauges.items()}
    return {
        **series,
        "sluice_source_lag_records": {(source,): lag for source, lag in figures()["lag"].items()},
    }


def _of_workers(now: Measured, name: Gauge) -> Mapping[Labels, float]:
    """What worker processes hold, which this one cannot see by itself."""
    return now.gauges.get(name, {})


def _shares() -> dict[Labels, float]:
    rates = (
        ((share.name, unit), rate)
        for share in polling.shares()
        for unit, rate in (("records", share.max_rate), ("bytes", share.max_bytes_rate))
    )
    return {labels: rate for labels, rate in rates if rate is not None}


def _plain(
    kind: str, name: str, meaning: str, labels: Mapping[str, str], values: Mapping[Labels, float]
) -> Metric:
    return _labelled(kind, name, meaning, tuple(labels), labels, values)


def _labelled(
    kind: str,
    name: str,
    meaning: str,
    names: tuple[str, ...],
    labels: Mapping[str, str],
    values: Mapping[Labels, float],
) -> Metric:
    family_of = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    family = family_of(name, meaning, labels=names)
    for key, value in sorted(values.items()):
        family.add_metric([*labels.values(), *key], value)
    return family


def _histogram(
    name: str, meaning: str, names: tuple[str, ...], labels: Mapping[str, str], now: Measured
) -> Metric:
    family = HistogramMetricFamily(name, meaning, labels=names)
    for measured, bounds in BOUNDS.items():
        if name in (f"sluice_{measured}", f"sluice_{measured}_seconds"):
            for key, buckets in sorted(now.histograms.get(measured, {}).items()):
                family.add_metric(
                    [*labels.values(), *key], _cumulative(bounds, buckets), buckets.sum
                )
    return family


def _cumulative(bounds: Sequence[float], buckets: Buckets) -> list[tuple[str, float]]:
    uppers = [*(str(float(bound)) for bound in bounds), "+Inf"]
    return list(zip(uppers, map(float, accumulate(buckets.counts)), strict=True))
