"""Show the metrics of an ingestion while it runs, if that is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from pipelines.ingestion.config import IngestConfig, RunConfig
from pipelines.ingestion.own_table import own_table
from pipelines.ingestion.run_entry import program_version
from sinks.control import polling
from transforms import instruments
from transforms.batch.backoff import forget_outages


@contextmanager
def observed(config: IngestConfig, run: RunConfig) -> Iterator[None]:
    """Answer at the run's address while the block runs; without one, do nothing.

    Raises:
        ConfigError: Nothing can listen there.
    """
    instruments.reset()
    forget_outages()
    polling.stop_all()
    if run.metrics_address is None:
        yield
        return
    # Here, because most runs show nothing, and these take time to import.
    from prometheus_client import CollectorRegistry

    from pipelines.telemetry.process import ProcessMetrics
    from pipelines.telemetry.server import serving

    def labels() -> dict[str, str]:
        label = own_table(config.sql)  # known once the table has been looked at
        return {"pipeline": config.pipeline.name or label, "target": label}

    build = {
        "version": program_version(),
        "beam": version("apache-beam"),
        "runner": run.runner.name,
    }
    metrics = ProcessMetrics(labels, build)
    registry = CollectorRegistry()
    registry.register(metrics)
    with serving(run.metrics_address, registry, live=metrics.live, ready=metrics.ready):
        yield
