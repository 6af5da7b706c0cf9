"""All checks are made, whatever one of them meets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from sinks.database.engine import dispose_engines
from sinks.database.tables import VERSION
from sinks.doctor import examine as examining
from sinks.doctor.examine import CHECKS, examine
from sinks.doctor.item import Item
from sinks.doctor.scope import Question, Scope
from tests.io.sinks.jobs.stored_jobs import prepared
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError, SinkUnavailable

FOREVER = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4000000000)
SELECT count(*) FROM numbers
"""


def test_a_fresh_database_is_fine(database: Database) -> None:
    begun(database, options={"key": "id"})
    items = examine(database.database, Question(program="1.2.3"))
    assert {item.level for item in items} <= {"ok", "skipped"}
    names = {name for name, _ in CHECKS} - {"server"}
    assert names <= {item.check for item in items}


def test_a_check_that_takes_too_long_is_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.kind == "generic":
        pytest.skip("nothing bounds a statement there")
    prepared(database)
    forever = FOREVER if database.kind != "mariadb" else "SELECT SLEEP(60)"

    def slow(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
        yield Item("slow", "ok", str(connection.exec_driver_sql(forever).scalar()))

    def quick(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
        yield Item("quick", "ok", "done")

    monkeypatch.setattr(examining, "SECONDS", 0.2)
    monkeypatch.setattr(examining, "CHECKS", (("slow", slow), ("quick", quick)))
    _, gave_up, last = examine(database.database, Question())
    assert (gave_up.check, gave_up.level) == ("slow", "skipped")
    assert last.what == "done"


def test_what_a_role_may_not_read_is_skipped(postgres: Database) -> None:
    prepared(postgres)
    name = postgres.rows("SELECT current_database()")[0][0]
    role = f"reader_{name}"
    postgres.run(
        f"CREATE ROLE {role} LOGIN",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        f"REVOKE SELECT ON ingest_outbox FROM {role}",
    )
    try:
        url = sa.make_url(postgres.url).set(username=role)
        reader = Database("postgres", url.render_as_string(hide_password=False))
        items = examine(reader.database, Question())
        (skipped,) = [item for item in items if item.check == "outbox"]
        assert skipped.level == "skipped"
        assert "permission denied" in skipped.what
        assert [item for item in items if item.check == "rights" and item.level == "error"]
    finally:
        dispose_engines()
        postgres.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
def test_tables_of_another_version_are_an_error_and_nothing_more(
    database: Database, version: int
) -> None:
    prepared(database)
    database.run(f"UPDATE ingest_schema SET version = {version}")
    first, second = examine(database.database, Question())
    assert (first.check, first.level, second.check) == ("versions", "error", "versions")


def test_mistakes_are_refused(database: Database) -> None:
    with pytest.raises(ConfigError, match="nothing was ingested"):
        examine(database.database, Question())
    prepared(database)
    with pytest.raises(ConfigError, match="there is no pipeline 'x' here; there are events"):
        examine(database.database, Question("x"))


def test_a_database_that_is_away_is_no_finding() -> None:
    away = Database("postgres", "postgresql://u@127.0.0.1:1/db")
    with pytest.raises(SinkUnavailable):
        examine(away.database, Question())
