"""The line with which a run begins, and what each line of its log says of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.ingestion.config import IngestConfig, RunConfig
from pipelines.ingestion.own_table import own_table
from pipelines.telemetry import logs, progress
from sinks.runs.runs import Run
from transforms.route.table_name import UNROUTED
from transforms.secrets import redact

_log = logging.getLogger(__name__)


@contextmanager
def begun(entry: Run, config: IngestConfig, run: RunConfig) -> Iterator[None]:
    """Log that a run has begun; while the block runs, every line says which run it is of.

    The line is for programs and for those who see no bar: with a bar on a terminal, it is a line of
    debugging.
    """
    label = own_table(config.sql)
    pipeline = config.pipeline.name or label
    sources = [redact(source.uri) for source in config.sources]
    with logs.about(run=entry.id, pipeline=pipeline, target=label):
        _log.log(
            progress.level_beside(run.progress),
            "run %s begins: pipeline %s, %s, %s, from %s",
            *(entry.id, pipeline, _where(label, config), run.runner.name, ", ".join(sources)),
            extra={"runner": run.runner.name, "sources": sources, "streaming": config.streaming},
        )
        yield


def _where(label: str, config: IngestConfig) -> str:
    """What is written, in words."""
    if config.sql.table == UNROUTED:
        return "tables of its routes"
    own = f"table {label}" if config.sql.has_table else f"objects in {label}"
    return own if config.routes is None else f"{own} and those of its routes"
