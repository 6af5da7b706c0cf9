"""The configuration of one ingestion: of the pipeline, and of the process that runs it."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.ingestion.steps import Steps
from pipelines.telemetry.progress import Mode
from runners.runner import Runner
from sinks.control.polling import SqlControls
from sinks.ledger.ledger import SqlLedger
from sinks.table.config import SqlConfig
from sinks.tables import Tables
from sources.jobs.source import JobsSource
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import Source
from transforms.envelope.config import UnwrapConfig
from transforms.parse.hidden.paths import Hidden
from transforms.parse.parse import ParseConfig
from transforms.settle.dead_budget import DeadBudget
from transforms.settle.dead_letters import DeadLetterSink
from transforms.settle.write import WriteConfig
from transforms.steps.pipeline_identity import PipelineIdentity

if TYPE_CHECKING:
    from sinks.object_datasets import Objects  # with pyarrow, which tables do not need
    from transforms.mapping.mapping import Mapping
    from transforms.route.routes import Routes


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """Everything that ``pipelines.ingest.build`` needs.

    Attributes:
        sources: What to read.
        parse: Bounds of a record.
        mapping: How records are shaped before they are checked, or None.
        schema: JSON Schema of a mapped record as text, or None; routes have their own.
        sql: Where rows, dead letters and progress go.
        ledger: What the pipeline has settled there.
        write: Bounds of a transaction, and waits during an outage.
        batch_records: The most records of a batch; None leaves it to the sources.
        retry: How often, and after which waits, to try a record again.
        jobs: Where records come back from when another attempt is due.
        dead_letters: A second place for dead letters, or None.
        budget: How many dead letters a run may make; None for any number.
        outbox: Whether each change to the table leaves a row in the outbox.
        streaming: Whether to go on after everything that exists has been read.
        steps: The user's own steps, between Validate and Write.
        pipeline: The pipeline's name and the labels of its steps.
        controls: What operators ask of the pipeline.
        hidden: The paths in a record as read that its mapping hides. Nothing quotes a record that
            cannot be read, and whoever looks at failed records does not see these fields.
        routes: Which records go to which tables; None if all go to the one of ``sql``.
        tables: The tables of the routes in the database of ``sql``, or None if there are none.
        objects: The datasets of objects that records go to, or None.
        unwrap: What surrounds rows, and what becomes of records that say that a row is gone.
    """

    sources: tuple[Source, ...]
    parse: ParseConfig
    mapping: Mapping | None
    schema: str | None
    sql: SqlConfig
    ledger: SqlLedger
    write: WriteConfig
    batch_records: int | None
    retry: RetryPolicy
    jobs: JobsSource
    dead_letters: DeadLetterSink | None
    budget: DeadBudget | None
    outbox: bool
    streaming: bool
    steps: Steps
    pipeline: PipelineIdentity
    controls: SqlControls
    hidden: Hidden = ()
    routes: Routes | None = None
    tables: Tables | None = None
    objects: Objects | None = None
    unwrap: UnwrapConfig = UnwrapConfig()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How the program runs, apart from the pipeline itself.

    Attributes:
        runner: What runs the pipeline.
        beam_options: Flags that belong to Beam.
        summary_json: Where to write the summary, or None.
        fail_on_dead_letters: Whether to exit with 3 when the run made some, or when some of its
            sources are unresolved.
        progress: How to show how far the run is.
        detach: Whether to leave the job to the cluster once it runs.
        metrics_address: Host and port where the process shows its metrics, or None.
        workers: How many processes of this machine read; 1 is this one.
        options: The options that the user gave, by name, without secrets.
    """

    runner: Runner
    beam_options: tuple[str, ...]
    summary_json: Path | None
    fail_on_dead_letters: bool
    progress: Mode
    detach: bool = False
    metrics_address: tuple[str, int] | None = None
    workers: int = 1
    options: Dict[str, Any] = field(default_factory=dict)
