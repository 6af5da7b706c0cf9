"""What pipelines hide is kept with them, and only ever grows."""

from __future__ import annotations

from sinks.database.engine import transaction
from sinks.ledger import hidden_fields, pipelines
from sinks.ledger.hidden_fields import VERSIONS_KEPT, HiddenFields
from tests.io.sinks.tested_database import Database


def of(database: Database, *targets: str) -> dict[str, HiddenFields]:
    with transaction(database.database, "test", write=False) as connection:
        return hidden_fields.of_targets(connection, targets)


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
    (fields,) = of(database, "events", "others").values()
    assert fields.paths == (("email",), ("phone",))
    assert set(fields.versions) == {"v1", "v3"}
    assert of(database, "others") == {}
