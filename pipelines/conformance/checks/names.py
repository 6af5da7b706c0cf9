"""Names: tables and columns are called as the records' fields are, or refused before a run."""

from __future__ import annotations

from typing import Any

from pipelines.conformance.check import Check, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of, outcomes
from sinks.database.engine import transaction
from sinks.database.label import label_of
from transforms.errors import SluiceError

COLUMNS = (
    *("Mixed", "select", "with space", "ünïcode", "per%cent", "co:lon", "dot.ted", "1st"),
    *("par(en)", "order", "dash-ed", "que?ry", "quo'te", "group"),
)
TABLES = ('"Mixed Case"', '"order"', '"names ünïcode"', '"per%s cent"')


def _columns(ground: Ground, trial: Trial) -> None:
    table = "names_columns"
    properties = {name: {"type": "string"} for name in COLUMNS}
    schema = {"properties": {"id": {"type": "integer"}, **properties}, "required": ["id"]}
    sink = ground.sink(table, key=["id"], schema=schema, on_conflict="update")
    for turn in ("first", "second"):
        record: dict[str, Any] = {"id": 1, **{name: f"{turn} {name}" for name in COLUMNS}}
        settled = committed(sink, [batch_of(sink, [record], partition=turn)])
        trial.equal("dead letters", [each.message for each in settled[0].dead], [])
    expected = [(1, *(f"second {name}" for name in COLUMNS))]
    escaped = ground.rows(table, "id", *COLUMNS)
    trial.equal("the row", escaped, expected)


def _tables(ground: Ground, trial: Trial) -> None:
    schema = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}
    for place, name in enumerate(TABLES):
        sink = ground.sink(name, key=["id"], schema=schema)
        settled = committed(sink, [batch_of(sink, [{"id": place}])])
        trial.equal(f"outcomes of {name}", outcomes(settled), {"read": 1, "inserted": 1})
        trial.equal(f"rows of {name}", ground.number(name.strip('"')), 1)


def _long(ground: Ground, trial: Trial) -> None:
    """The longest names work; a longer one is refused, or is not cut into that of another."""
    with transaction(ground.database, "ask for names", write=False) as connection:
        most, _ = ground.dialect.longest_name(connection)
    length = min(most, 200)
    pair = ["c" * (length - 1) + "1", "c" * (length - 1) + "2"]
    _pair(ground, trial, "t" * length, pair)
    if length < most:
        return
    longer = ["d" * most + "1", "d" * most + "2"]
    try:
        _pair(ground, trial, "names_longer", longer)
    except SluiceError:
        trial.equal("rows after a refusal", _number_if_there(ground, "names_longer"), 0)


def _pair(ground: Ground, trial: Trial, table: str, names: list[str]) -> None:
    text = {"type": "string"}
    properties = {"id": {"type": "integer"}, names[0]: text, names[1]: text}
    sink = ground.sink(table, key=["id"], schema={"properties": properties})
    settled = committed(sink, [batch_of(sink, [{"id": 1, names[0]: "a", names[1]: "b"}])])
    trial.equal("outcomes with long names", outcomes(settled), {"read": 1, "inserted": 1})
    trial.equal("columns with long names", ground.rows(table, "id", *names), [(1, "a", "b")])


def _number_if_there(ground: Ground, table: str) -> int:
    try:
        return ground.number(table)
    except SluiceError:
        return 0  # it was not created


def _label(ground: Ground, trial: Trial) -> None:
    """A table has one name in the ledger, however it is written, and no other has it."""
    schema = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}
    sinks = [
        ground.sink(name, key=["id"], schema=schema) for name in ("names_label", '"names_label"')
    ]
    with transaction(ground.database, "ask for names", write=False) as connection:
        labels = {label_of(connection, sink.config.table_name) for sink in sinks}
    trial.equal("the label of the table in the ledger", labels, {"names_label"})
    batch = batch_of(sinks[0], [{"id": 1}])
    first, again = (committed(sink, [batch]) for sink in sinks)
    trial.equal("outcomes", outcomes(first), {"read": 1, "inserted": 1})
    trial.equal("outcomes by the other name", outcomes(again), {})


CHECKS = (
    Check("names.columns", "fields of any name have columns of that name", _columns),
    Check("names.tables", "tables of any name, reserved words too, are written", _tables),
    Check("names.long", "long names are kept whole or refused, never cut", _long),
    Check("names.label", "a table has one ledger, with quotes and without", _label),
)
