"""A process asks what is asked of its pipeline, and goes by the last answer while the database is away."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest

from sinks.control import polling, requests
from sinks.control.polling import SqlControls
from sinks.control.requests import WHOLE, Limits
from sinks.database import engine
from tests.io.sinks.tested_database import Database
from tests.services.tcp_proxy import TcpProxy
from tests.waiting import wait_until
from transforms.errors import SinkUnavailable
from transforms.read.control import Control, State

BY = {"actor": "ann", "reason": "disk full"}


@dataclass(frozen=True)
class Topic:
    """A source as the user named it."""

    uri: str

    def owns(self, source: str) -> bool:
        return source == "kafka://" + self.uri.rpartition("/")[2]


ORDERS, USERS = Topic("kafka://host/orders"), Topic("kafka://host/users")
JOBS = "jobs://events"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    polling.stop_all()


def controls(database: Database, seconds: float = 0.05) -> SqlControls:
    return SqlControls(database.config(), "", (ORDERS, USERS), seconds)


def ask(database: Database, state: State, *sources: str) -> None:
    requests.ask(database.database, "events", sources or [WHOLE], state, **BY)


def states(asked: SqlControls, sources: Sequence[str] = (ORDERS.uri, USERS.uri, JOBS)) -> list[str]:
    return [asked.of(source).state for source in sources]


def test_nobody_has_asked_for_anything(database: Database) -> None:
    database.sink()
    asked = controls(database)
    asked.look()
    assert asked.of(ORDERS.uri) == Control()
    assert list(asked.held()) == []


def test_a_pause_of_the_pipeline_holds_its_sources_and_due_jobs(database: Database) -> None:
    database.sink()
    asked = controls(database)
    ask(database, "paused")
    asked.look()
    assert states(asked) == ["paused"] * 3
    assert asked.of(ORDERS.uri).reason == asked.of("").reason == "disk full"
    assert asked.whole_is_held


def test_a_drain_holds_its_sources_and_not_due_jobs(database: Database) -> None:
    database.sink()
    asked = controls(database)
    ask(database, "draining")
    asked.look()
    assert states(asked) == ["draining", "draining", "running"]


def test_a_source_is_held_by_its_own_row_or_that_of_the_pipeline(database: Database) -> None:
    database.sink()
    asked = controls(database)
    ask(database, "paused", "kafka://users")
    asked.look()
    assert states(asked) == ["running", "paused", "running"]
    ask(database, "draining")
    asked.look()
    assert states(asked) == ["draining", "paused", "running"]
    ask(database, "running")
    asked.look()
    assert states(asked) == ["running", "paused", "running"]
    ask(database, "running", "kafka://users")
    asked.look()
    assert states(asked) == ["running"] * 3


def test_a_row_may_name_a_source_as_the_run_was_given_it(database: Database) -> None:
    database.sink()
    asked = controls(database)
    ask(database, "paused", USERS.uri)
    asked.look()
    assert states(asked) == ["running", "paused", "running"]


def test_the_tighter_limit_counts_and_the_generation_is_the_pipelines(database: Database) -> None:
    database.sink()
    asked = controls(database)
    for source, limits in (
        (WHOLE, Limits(max_rate=100.0, max_bytes_rate=5.0)),
        ("kafka://users", Limits(max_rate=20.0, max_bytes_rate=50.0)),
    ):
        requests.limit(database.database, "events", [source], limits, **BY)
    database.run("UPDATE ingest_control SET generation = 7 WHERE source = ''")
    asked.look()
    assert asked.of(USERS.uri) == Control(max_rate=20.0, max_bytes_rate=5.0, generation=7)
    assert asked.of(ORDERS.uri) == Control(max_rate=100.0, max_bytes_rate=5.0, generation=7)
    assert asked.of("").generation == 7


def test_other_pipelines_are_not_concerned(database: Database) -> None:
    database.sink()
    ask(database, "paused")
    other = SqlControls(database.config(), "other", (ORDERS,))
    other.look()
    assert other.of(ORDERS.uri).state == "running"


def test_whoever_begins_has_an_answer_and_learns_of_changes(database: Database) -> None:
    database.sink()
    ask(database, "paused")
    asked = controls(database)
    asked.begin()
    assert states(asked) == ["paused"] * 3
    ask(database, "running")
    wait_until(lambda: states(asked) == ["running"] * 3, "the thread to ask")
    assert asked.resumed_at() is not None


def test_a_database_that_is_away_changes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.sink()
    ask(database, "paused")
    asked = controls(database)
    asked.begin()
    tries: list[int] = []

    def away(*args: object, **options: object) -> None:
        tries.append(1)
        raise SinkUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(polling, "transaction", away)
        wait_until(lambda: len(tries) > 2, "questions to a database that is away")
        assert states(asked) == ["paused"] * 3
    ask(database, "running")
    wait_until(lambda: states(asked) == ["running"] * 3, "the database to be back")


def test_whatever_fails_while_it_asks_it_asks_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database.sink()
    asked = controls(database)
    asked.begin()
    tries: list[int] = []

    def fails(*args: object, **options: object) -> None:
        tries.append(1)
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(polling, "transaction", fails)
        wait_until(lambda: len(tries) > 2, "questions that fail")
    assert "it is asked for again" in caplog.text
    assert "Too many open files" in caplog.text
    ask(database, "paused")
    wait_until(lambda: states(asked) == ["paused"] * 3, "an answer")


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_connection_that_hangs_is_given_up_long_before_that_of_a_commit(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = parse_qs(urlsplit(postgres_url).query)["host"]
    with TcpProxy(f"{folder}/.s.PGSQL.5432") as proxy:
        path = urlsplit(postgres_url).path
        database = Database("postgres", f"postgresql://postgres@127.0.0.1:{proxy.port}{path}")
        database.sink()
        asked = controls(database)
        asked.look()
        monkeypatch.setattr(polling, "LONGEST_SECONDS", 0.5)
        proxy.stall()
        with pytest.raises(SinkUnavailable):
            asked.look()
        proxy.heal()
        asked.look()
        engine.dispose_engines()


def test_each_change_is_a_line_in_the_log(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database.sink()
    asked = controls(database)
    with caplog.at_level(logging.INFO, logger="sinks.control.polling"):
        asked.look()
        ask(database, "paused", "kafka://users")
        asked.look()
        asked.look()
        requests.limit(database.database, "events", [WHOLE], Limits(max_rate=9.0), **BY)
        asked.look()
    first, second = [record.getMessage() for record in caplog.records]
    assert first.startswith("source kafka://users of pipeline events is paused since")
    assert first.endswith("by ann: disk full")
    assert second == "pipeline events may read 9 records per second"


def test_it_travels_without_what_it_knows(database: Database) -> None:
    database.sink()
    asked = controls(database)
    ask(database, "paused")
    asked.look()
    copy = pickle.loads(pickle.dumps(asked))
    assert copy == asked
    assert states(copy) == ["paused"] * 3


def test_a_process_whose_pipelines_are_over_asks_no_more(sqlite_database: Database) -> None:
    sqlite_database.sink()
    ask(sqlite_database, "paused")
    asked = controls(sqlite_database)
    asked.begin()
    assert [row.source for row in polling.held()] == [WHOLE]
    polling.stop_all()
    assert polling.held() == polling.asked() == []
    engine.dispose_engines()
