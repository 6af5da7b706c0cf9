"""Give each record its table, by routes, and shape it for that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import apache_beam as beam

import transforms.batch.coders  # noqa: F401  registers the coder of RecordBatch
from transforms import instruments
from transforms.batch.record import RecordBatch
from transforms.errors import ConfigError
from transforms.route.router import Router
from transforms.route.routes import Routes
from transforms.route.table_name import UNROUTED


class AssignRoutes(beam.PTransform):
    """Send every record of a ``RecordBatch`` to the tables of its routes; put it before the write.

    Every route whose condition holds gets the record, shaped by the route's mapping and checked
    against its JSON Schema. A record that no route gets goes to the default; without one it becomes
    a failure of stage ``route``, category ``no_route``, as does one whose table is not allowed.

    Args:
        routes: The routes.
        home: The label of the pipeline's own table: of failures before the routes, and of the
            default, if there is one.
        default_schema: The schema of tables that are named without one, such as ``public``: their
            labels have none.
        run: What ``@run`` stands for in mappings.
        now: What ``@now`` stands for; None for the time at which a batch is mapped.

    Raises:
        ConfigError: Routes say different things of one table, or a mapping asks for ``@run``, and
            ``run`` is empty.
    """

    def __init__(
        self,
        routes: Routes,
        home: str = UNROUTED,
        default_schema: str = "",
        run: str = "",
        *,
        now: datetime | None = None,
    ) -> None:
        super().__init__()
        self.routes = routes
        routes.check_tables(default_schema)
        if routes.needs_run and not run:
            raise ConfigError("a mapping asks for @run: give AssignRoutes(routes, run=…)")
        self._home = home
        self._default_schema = default_schema
        self._run = run
        self._now = now

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return batches | "Assign" >> beam.ParDo(
            _AssignFn(self.routes, self._home, self._default_schema, self._run, self._now)
        ).with_input_types(RecordBatch).with_output_types(RecordBatch)


class _AssignFn(beam.DoFn):
    def __init__(
        self,
        routes: Routes,
        home: str,
        default_schema: str,
        run: str,
        now: datetime | None,
    ) -> None:
        self._routes = routes
        self._home = home
        self._default_schema = default_schema
        self._run = run
        self._now = now

    def setup(self) -> None:
        self._router = Router(self._routes, self._home, self._default_schema, self._run, self._now)

    def process(self, batch: RecordBatch) -> Sequence[RecordBatch]:
        with instruments.stage("route"):
            return (self._router.route(batch),)
