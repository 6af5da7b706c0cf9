"""What operators may ask of the pipeline of an ingest, and the limits that its options set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sinks.control.polling import SqlControls
from sinks.table.config import SqlConfig
from sources.ownership import names
from transforms.batch.splits import Source
from transforms.steps.pipeline_identity import PipelineIdentity


def controls_of(
    flags: argparse.Namespace,
    sql: SqlConfig,
    pipeline: PipelineIdentity,
    sources: Sequence[Source],
) -> SqlControls:
    """The controls of the pipeline that the options describe."""
    return SqlControls(
        sql,
        pipeline.name,
        tuple(sources),
        max_rate=flags.max_rate,
        max_bytes_rate=flags.max_bytes_rate,
        names=names,
    )
