"""What a commit demands of its tables before it can write all of its records."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.evolution.evolve import Author, evolve
from sinks.evolution.naming import Names
from sinks.evolution.refusals import refusals_of
from sinks.evolution.survey import Survey, Wanted
from sinks.table.config import SqlConfig
from sinks.table.records import Records
from sinks.table.rows import Poison
from sinks.table.target import Target
from sinks.table.writer import TableWriter
from transforms.batch.record import RecordBatch
from transforms.metrics import MetricName

_JUDGED = frozenset({"unknown_field", "data"})


class Demand(Exception):
    """A table is to change before a commit; nothing of the commit is written."""

    def __init__(self, config: SqlConfig, wanted: Wanted, origins: dict[str, str]) -> None:
        super().__init__(config.table)
        self.config = config
        self.wanted = wanted
        self.origins = origins

    def carry_out(
        self, writer_of: Callable[[sa.Connection], TableWriter], pipeline: str, run: str
    ) -> dict[MetricName, int]:
        """Change the table as far as the database lets us; returns how many columns were changed.

        Raises:
            SinkUnavailable: The database cannot be reached.
        """
        actor = f"ingest on {socket.gethostname()}, process {os.getpid()}"
        author = Author(actor, pipeline, run, self.origins)
        changes = evolve(self.config, writer_of, self.wanted, refusals_of(self.config), author)
        return {"columns_added": len(changes.added), "columns_widened": len(changes.widened)}


@dataclass(frozen=True, slots=True)
class Refused:
    """The records of a commit for one table, and those of them that it has refused.

    Attributes:
        config: The table.
        target: As it was when they were written.
        records: All of them.
        poison: Those that it refused.
        batches: Which they come from, as ``records`` numbers them.
    """

    config: SqlConfig
    target: Target
    records: Records
    poison: Sequence[Poison]
    batches: Sequence[RecordBatch]

    def judged(
        self, connection: sa.Connection, writer: TableWriter, began: float
    ) -> Sequence[Poison]:
        """``poison``, where records wait that would be written if the table were another.

        Args:
            connection: In the transaction that has refused them.
            writer: The writer for the connection.
            began: When the commit began (monotonic).

        Raises:
            Demand: The table is to change first.
        """
        config = self.config
        if not (config.evolves or config.schema_wait) or not any(
            bad.category in _JUDGED for bad in self.poison
        ):
            return self.poison
        names = Names(*dialect_of(connection).longest_name(connection))
        survey = Survey(config, self.target, writer, names, refusals_of(config), began)
        judged = survey.of(self.records.values, self.poison)
        if survey.wanted:
            origins = {name: self._origin(at) for name, at in survey.wanted.first.items()}
            raise Demand(config, survey.wanted, origins)
        return judged

    def _origin(self, index: int) -> str:
        batch, position = self.records.place_of(index)
        origin = self.batches[batch].record(position).origin
        return f"{origin.source} {origin.partition}:{origin.offset}".replace(" :", ":")
