"""What pipelines hide is kept with them, and only ever grows."""

from __future__ import annotations

from sinks.database.engine import transaction
from sinks.ledger import hidden_fields, pipelines
from sinks.ledger.hidden_fields import VERSIONS_KEPT, HiddenFields
from tests.io.sinks.tested_database import Database
from transforms.route.table_name import UNROUTED


def of(database: Database, target: str, *names: str) -> HiddenFields:
    """What is hidden of a job of ``target`` that pipelines of such names have read and own."""
    with transaction(database.database, "test", write=False) as connection:
        return hidden_fields.of_jobs(connection, [target], names).of(target, *names)


def test_it_comes_back_as_it_was_written() -> None:
    fields = HiddenFields.of((("email",), ("user", "card"), ()), "v1")
    assert HiddenFields.from_text(fields.as_text()) == fields
    assert HiddenFields.from_text(HiddenFields.of((), "v1").as_text()) == HiddenFields()


def test_a_version_that_is_used_again_is_the_newest_and_the_oldest_are_forgotten() -> None:
    fields = HiddenFields.of((("a",),), "first")
    for number in range(VERSIONS_KEPT):
        fields |= HiddenFields.of((("a",),), f"v{number}")
        fields |= HiddenFields.of((("a",),), "first")
    assert len(fields.versions) == VERSIONS_KEPT
    assert fields.versions[-1] == "first"
    assert "v0" not in fields.versions


def test_what_was_hidden_once_stays_hidden_for_its_table(database: Database) -> None:
    events = database.sink("events", key=["id"]).config
    others = database.sink("others", key=["id"]).config
    pipelines.register(events, "", (("email",),), "v1")
    pipelines.register(events, "", (), "v2")
    pipelines.register(events, "beside", (("phone",), ("email",)), "v3")
    pipelines.register(others, "", (), "v4")
    fields = of(database, "events")
    assert fields.paths == (("email",), ("phone",))
    assert set(fields.versions) == {"v1", "v3"}
    assert of(database, "others") == HiddenFields()


def test_what_a_pipeline_hides_is_hidden_in_every_table_that_it_sends_records_to(
    database: Database,
) -> None:
    database.sink("events", key=["id"])
    home = database.config(UNROUTED)
    pipelines.register(home, "router", (("email",),), "v1")
    pipelines.register(home, "other", (("phone",),), "v1")
    assert of(database, "orders", "router").paths == (("email",),)
    assert of(database, UNROUTED, "router").paths == (("email",),)
    assert of(database, "orders", "router", "other").paths == (("email",), ("phone",))
