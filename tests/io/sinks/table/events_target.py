"""A target table for tests that need no database."""

from sinks.table.config import OnConflict
from sinks.table.target import Column, Target
from transforms.route.table_name import TableName

EVENTS = Target(
    table=TableName("events"),
    label="events",
    columns=(Column("id", "int4"),),
    generated=frozenset(),
    key=("id",),
    origin_key=False,
    whole_payload=False,
    on_conflict=OnConflict(),
    unknown_fields="reject",
)
