"""From the command line of ``pipelines.ingest`` to its frozen configuration."""

from __future__ import annotations

import argparse
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import apache_beam as beam

from clients.kafka import config as kafka_config
from clients.s3 import S3Settings
from pipelines.flags import is_of_objects, set_outage_budget
from pipelines.ingestion.config import IngestConfig, RunConfig
from pipelines.ingestion.configuring import destination
from pipelines.ingestion.configuring.change_flags import on_delete_of, unwrap_of
from pipelines.ingestion.configuring.controlling import controls_of
from pipelines.ingestion.configuring.documents import mapping_of, schema_of
from pipelines.ingestion.configuring.registry_flags import subject_schema, with_registry
from pipelines.ingestion.configuring.running import run_config, with_workers
from pipelines.ingestion.configuring.sources import is_text, sources_of, takes_turns
from pipelines.ingestion.flags import MAX_DEAD, Option, parser
from pipelines.ingestion.step_references import steps_of
from pipelines.ingestion.steps import identity_of
from pipelines.running.beam_options import refuse_unknown, runner_of
from runners.runner import Runner
from sinks.dead_letters.by_uri import dead_letter_sink_for
from sinks.jobs.queue import SqlJobQueue
from sinks.jobs.retention import Retention
from sinks.ledger.ledger import SqlLedger
from sinks.table.config import SqlConfig
from sinks.tables import Tables
from sources.jobs.source import JobsSource
from transforms.batch.backoff import Backoff
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import Source
from transforms.envelope.message_key import key_fields
from transforms.errors import ConfigError
from transforms.parse.epochs import epoch_columns
from transforms.parse.hidden.paths import Hidden
from transforms.parse.parse import ParseConfig
from transforms.parse.text import FIELD
from transforms.route.route import Route
from transforms.route.table_name import UNROUTED
from transforms.settle.dead_budget import DeadBudget
from transforms.settle.dead_letters import DeadLetterSink
from transforms.settle.write import WriteConfig

if TYPE_CHECKING:
    from sinks.object_datasets import Objects
    from transforms.mapping.mapping import Mapping
    from transforms.route.routes import Routes

_TEXT_SCHEMA = {"properties": {FIELD: {"type": "string"}}, "required": [FIELD]}
"""What makes a column of text, not JSON, of a table that is created for ``--format text``."""


def with_defaults(argv: Sequence[str], options: Dict[str, Option]) -> list[str]:
    """The flags for ``options`` that ``argv`` does not set itself, followed by ``argv``.

    Raises:
        ConfigError: An option of ``argv`` is wrong.

    >>> with_defaults(["--table", "b"], {"table": "a", "key": ["x", "y"], "streaming": True})
    ['--key=x,y', '--streaming', '--table', 'b']
    """
    names = parser()
    for action in names.actions():
        action.default = argparse.SUPPRESS
    set_by_argv = vars(names.parse_known_args(list(argv))[0])
    flags: list[str] = []
    for name, value in options.items():
        if name not in set_by_argv:
            flags += _flags(name, value, repeated=names.repeats(name))
    return [*flags, *argv]


def _flags(name: str, value: Option, *, repeated: bool) -> list[str]:
    if value is None or value is False:
        return []
    if value is True:
        return [f"--{name}"]
    if isinstance(value, str | int | float):
        return [f"--{name}={value}"]
    if repeated:
        return [f"--{name}={part}" for part in value]
    return [f"--{name}={','.join(value)}"]


def from_argv(
    argv: Sequence[str], steps: Sequence[beam.PTransform] = (), routes: Routes | None = None
) -> tuple[IngestConfig, RunConfig]:
    """Parse the command line.

    Args:
        argv: The arguments.
        steps: The steps of a program; those of ``--step`` follow them.
        routes: The routes of a program; those of ``--routes`` replace them.

    Raises:
        ConfigError: It names the option that is missing, unknown or wrong.
    """
    flags, rest = parser().parse_known_args(list(argv))
    flags.routes = flags.routes or routes
    return configured(flags, rest, steps, argv=argv)


def configured(
    flags: argparse.Namespace,
    rest: Sequence[str],
    steps: Sequence[beam.PTransform] = (),
    *,
    argv: Sequence[str] = (),
) -> tuple[IngestConfig, RunConfig]:
    """From options, whether of a command line or of a pipeline file, to the configuration.

    Args:
        flags: The options, as the parser of ``ingest`` names them. ``map`` and ``schema`` may be parts
            of a document instead of paths, and ``routes`` also ``Routes``.
        rest: The options that are Beam's, as flags.
        steps: The steps of a program; those of the options follow them.
        argv: All flags, to say where one stands that belongs to no option.

    Raises:
        ConfigError: It names the option that is missing, unknown or wrong.
    """
    names = parser()
    kafka_config.parse(flags.kafka_config)  # first, since what stands behind it may be a password
    runner = runner_of(flags.runner)  # from here on, Beam knows the runner's own options
    refuse_unknown(rest, names, argv)
    destination.check(flags, names.parse_known_args([])[0])
    runner = with_workers(flags, runner)
    set_outage_budget(flags, runner)
    every = (*steps, *steps_of(flags.step, remote=runner.remote))
    return _ingest_config(flags, runner, every), run_config(flags, runner, rest)


def _ingest_config(
    flags: argparse.Namespace, runner: Runner, steps: tuple[beam.PTransform, ...]
) -> IngestConfig:
    schema = subject_schema(flags) or schema_of(flags.schema)
    mapping = mapping_of(flags.map, remote=runner.remote)
    routes = _routes(flags, runner, schema)
    sources = sources_of(flags, routes, parallel=runner.parallel)
    unwrap = unwrap_of(flags)
    text = is_text(flags)
    if text and unwrap.key not in ((), (FIELD,)):
        raise ConfigError(f"--format text has one field, {FIELD}; leave out --key {flags.key}")
    sql = SqlConfig.of(
        url=flags.state or flags.sink,
        table=_own_target(flags),
        key=unwrap.key,
        on_conflict=flags.on_conflict,
        unknown_fields=flags.unknown_fields,
        schema=_TEXT_SCHEMA if text and schema is None else schema,
        create=flags.create,
        evolve=flags.evolve,
        schema_wait=_schema_wait(flags),
        elements=any(source.holds_several for source in sources)
        or any(each.unnests for each in (mapping, *_mappings(routes)) if each is not None),
        on_delete=on_delete_of(flags),
    )
    objects = _objects(flags, sql, routes)
    if objects is not None and sql.evolves:
        raise ConfigError(
            f"--evolve {sql.evolve} is for tables, and a route leads to objects, which have rules of "
            "their own; leave it out"
        )
    if objects is not None and sql.on_delete:
        raise ConfigError(
            f"--on_delete {sql.on_delete}: objects are only added to, never changed; give --on_delete "
            "ignore or dead, or write to a database"
        )
    if takes_turns(flags) and objects is not None:
        raise ConfigError(
            "--fair is for tables: an object has a range of offsets, and turns would make many small ones"
        )
    parse = ParseConfig(
        max_record_bytes=flags.max_record_bytes,
        max_depth=flags.max_depth,
        epochs=epoch_columns(flags.epoch, schema),
        tombstones=unwrap.is_needed,
    )
    pipeline = identity_of(
        *(flags.pipeline, steps, parse, schema, sql.key, sql.on_conflict, sql.unknown_fields),
        # Texts, so that all of them counts, however long they are.
        *(() if routes is None else (repr(routes),)),
        *(() if objects is None else (repr(objects.datasets),)),
        *((f"evolve {sql.evolve}",) if sql.evolves else ()),
        *((repr(unwrap),) if unwrap.is_needed else ()),
        mapping=repr(mapping) if mapping is not None or _mappings(routes) else None,
    )
    write = WriteConfig(
        backoff=_outage_backoff(flags.backoff_base, flags.backoff_cap),
        outage_budget=flags.outage_budget,
    )
    if flags.max_in_flight is not None:
        write = write.within(flags.max_in_flight)
    retention = Retention.parse(flags.retain) if flags.retain else None
    return IngestConfig(
        sources=sources,
        parse=with_registry(parse, flags, mapping, routes),
        mapping=mapping,
        hidden=_hidden(mapping, routes),
        schema=schema if routes is None else None,
        sql=sql,
        ledger=SqlLedger(sql, pipeline.name),
        write=write,
        batch_records=None if flags.max_in_flight is None else write.commit_records,
        retry=RetryPolicy(
            Backoff(flags.backoff_base, flags.backoff_cap),
            flags.max_attempts,
            tuple(filter(None, flags.retry_on.split(","))),
        ),
        jobs=JobsSource(
            SqlJobQueue(sql, flags.job_lease, retention, pipeline),
            streaming=flags.streaming,
            retry_wait=flags.retry_wait,
            outage_budget=flags.outage_budget,
        ),
        dead_letters=_dead_letters(flags, sources),
        budget=_budget(flags, sources),
        outbox=flags.outbox,
        streaming=flags.streaming,
        steps=steps,
        pipeline=pipeline,
        controls=controls_of(flags, sql, pipeline, sources),
        routes=routes,
        tables=None if routes is None or flags.state else Tables.of(sql, routes.all),
        objects=objects,
        unwrap=unwrap,
    )


def _routes(flags: argparse.Namespace, runner: Runner, schema: str | None) -> Routes | None:
    if not flags.routes:
        return None
    from pipelines.ingestion.configuring.routing import routes_of  # with mappings, as few runs need

    default = None
    if flags.table:
        default = Route(
            _own_target(flags),
            name="--table",  # as messages call it
            key=key_fields(flags.key)[0],
            on_conflict=flags.on_conflict,
            unknown_fields=flags.unknown_fields,
            schema=schema,
        )
    routes = routes_of(flags.routes, default)
    if not runner.remote:  # elsewhere the workers have the secrets
        routes.check_secrets()
    return routes


def _schema_wait(flags: argparse.Namespace) -> float:
    if flags.schema_wait is not None:
        return float(flags.schema_wait)
    return 0.0 if flags.evolve == "freeze" else 86_400.0


def _own_target(flags: argparse.Namespace) -> str:
    """The pipeline's own table or dataset; ``UNROUTED`` where routes name all."""
    if flags.routes and not flags.table:
        return UNROUTED
    if not is_of_objects(flags.sink):
        return str(flags.table)
    from pipelines.ingestion.configuring.datasets import own_dataset

    return own_dataset(flags).label


def _objects(flags: argparse.Namespace, sql: SqlConfig, routes: Routes | None) -> Objects | None:
    leads = routes is not None and any(route.sink for route in routes.all)
    if not leads and not is_of_objects(flags.sink):
        return None
    from pipelines.ingestion.configuring.datasets import objects_of  # imports pyarrow

    return objects_of(flags, sql, routes)


def _mappings(routes: Routes | None) -> list[Mapping]:
    """The mappings that routes have of their own."""
    every = () if routes is None else routes.all
    return [route.mapping for route in every if route.mapping is not None]


def _hidden(mapping: Mapping | None, routes: Routes | None) -> Hidden:
    """The paths in a record as read that no message shows."""
    if routes is not None:
        return routes.hidden(mapping)
    return () if mapping is None else mapping.hidden


def _outage_backoff(base: float, cap: float) -> Backoff:
    """Short waits, so that a database that is back is noticed soon."""
    shortest = min(base, 0.25)
    return Backoff(shortest, max(min(cap, 15.0), shortest))


def _dead_letters(flags: argparse.Namespace, sources: Sequence[Source]) -> DeadLetterSink | None:
    if flags.dead_letters is None:
        return None
    sink = dead_letter_sink_for(
        flags.dead_letters,
        kafka_config=kafka_config.parse(flags.kafka_config),
        s3=S3Settings(endpoint_url=flags.s3_endpoint_url),
    )
    for source in sources:
        if source.owns(sink.writes_to):
            raise ConfigError(
                f"--dead_letters {flags.dead_letters} is read by --source {source.uri}: dead "
                "letters would be read again forever; name another place"
            )
    return sink


def _budget(flags: argparse.Namespace, sources: Sequence[Source]) -> DeadBudget | None:
    if flags.streaming:  # only if somebody asks: a stream that worked yesterday goes on
        return flags.max_dead and DeadBudget.parse(flags.max_dead, sources, pauses=True)
    return DeadBudget.parse(flags.max_dead or MAX_DEAD, sources)
