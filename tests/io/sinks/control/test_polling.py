"""A process asks what is asked of its pipeline, and goes by the last answer while the database is away."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

import pytest

from sinks.control import polling, requests
from sinks.control.polling import SqlControls
from sinks.control.requests import WHOLE, Limits
from sinks.database import engine
from sinks.runs import heartbeat
from sinks.runs.heartbeat import Heartbeat
from sinks.runs.runs import Run
from tests.io.sinks.tested_database import Database
from tests.services.tcp_proxy import TcpProxy
from tests.waiting import wait_until
from transforms.errors import SinkUnavailable
from transforms.read.control import Control, Limit, State

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
    heartbeat.stop_all()


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


def test_the_limits_of_pipeline_and_source_both_hold(database: Database) -> None:
    database.sink()
    asked = controls(database)
    for source, limits in (
        (WHOLE, Limits(max_rate=100.0, max_bytes_rate=5.0)),
        ("kafka://users", Limits(max_rate=20.0)),
    ):
        requests.limit(database.database, "events", [source], limits, **BY)
    database.run("UPDATE ingest_control SET generation = 7 WHERE source = ''")
    asked.look()
    whole, own = Limit("", 100.0, 5.0), Limit("kafka://users", 20.0)
    assert set(asked.of(USERS.uri).limits) == {whole, own}
    assert asked.of(ORDERS.uri) == Control(limits=(whole,), generation=7)
    assert asked.of(JOBS) == Control(limits=(whole,), generation=7)
    assert sorted(polling.shares(), key=repr) == sorted([whole, own], key=repr)


def test_the_options_count_until_an_operator_says_otherwise(database: Database) -> None:
    database.sink()
    asked = replace(controls(database), max_rate=100.0, max_bytes_rate=5.0)
    assert asked.of(ORDERS.uri).limits == (Limit("", 100.0, 5.0),)
    requests.limit(database.database, "events", [WHOLE], Limits(max_rate=7.0), **BY)
    asked.look()
    assert asked.of(JOBS).limits == (Limit("", 7.0, 5.0),)
    requests.limit(database.database, "events", [WHOLE], Limits(none=True), **BY)
    asked.look()
    assert asked.of(JOBS).limits == (Limit("", 100.0, 5.0),)


class TestSharing:
    """Limits are of all processes that are alive, by their heartbeats."""

    def process(self, database: Database, name: str, *uris: str, run: str = "") -> None:
        """A process of another machine, with a fresh heartbeat."""
        run = run or name
        sources = [{"uri": uri, "pattern": "kafka://*"} for uri in uris]
        config = database.config()
        Run(run, config, "", "DirectRunner", "1", {"sources": sources}).begin()
        beat = Heartbeat(database.database, run)
        beat.start()
        beat.stop()
        database.run(
            f"UPDATE ingest_workers SET ended_at = NULL, name = '{name}' WHERE run = '{run}'"
        )

    def test_each_process_that_is_alive_has_the_same_share(self, database: Database) -> None:
        database.sink()
        asked = replace(controls(database), max_rate=90.0)
        for name in ("a", "b", "dead", "ended", "over", "elsewhere"):
            self.process(database, name)
        database.run(
            "UPDATE ingest_workers SET heartbeat_at = '2020-01-01' WHERE name = 'dead'",
            "UPDATE ingest_workers SET ended_at = heartbeat_at WHERE name = 'ended'",
            "UPDATE ingest_runs SET outcome = 'failed' WHERE id = 'over'",
            "UPDATE ingest_runs SET pipeline = 'other' WHERE id = 'elsewhere'",
        )
        asked.look()
        assert asked.of(ORDERS.uri).limits == (Limit("", 30.0),), "a, b and this process"

    def test_a_process_is_counted_once_when_it_has_a_heartbeat(self, database: Database) -> None:
        database.sink()
        asked = replace(controls(database), max_rate=90.0)
        Run("own", database.config(), "", "DirectRunner", "1").begin()
        Heartbeat(database.database, "own").start()
        heartbeat.names(timeout=30.0)
        self.process(database, "a")
        asked.look()
        assert asked.of(ORDERS.uri).limits == (Limit("", 45.0),)

    def test_the_limit_of_a_source_is_shared_by_those_that_read_it(
        self, database: Database
    ) -> None:
        database.sink()
        asked = replace(controls(database), names=lambda uri, name: uri.endswith("/users"))
        self.process(database, "a", USERS.uri)
        self.process(database, "b", "kafka://elsewhere/users", ORDERS.uri)
        self.process(database, "c", ORDERS.uri)
        requests.limit(database.database, "events", ["kafka://users"], Limits(max_rate=90.0), **BY)
        asked.look()
        assert asked.of(USERS.uri).limits == (Limit("kafka://users", 30.0),)

    def test_a_process_is_not_forgotten_while_its_heartbeat_may_be_late(
        self, database: Database
    ) -> None:
        database.sink()
        asked = replace(controls(database), max_rate=90.0)
        self.process(database, "a")
        asked.look()
        database.run("UPDATE ingest_workers SET heartbeat_at = '2020-01-01'")
        shares = set()
        for _ in range(polling._REMEMBERED):
            shares |= {share.max_rate for share in polling.shares()}
            asked.look()
        assert shares == {45.0}
        assert polling.shares() == [Limit("", 90.0)]

    def test_who_begins_under_a_limit_shows_itself_and_lets_the_others_see_it(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database.sink()
        asked = replace(controls(database), max_rate=90.0)
        shown: list[float] = []

        def names(timeout: float = 0.0) -> set[str]:
            if timeout and not shown:
                shown.append(timeout)
                self.process(database, "a")  # it begins at the same time
            return set()

        monkeypatch.setattr(heartbeat, "names", names)
        asked.begin()
        assert shown
        assert polling.shares() == [Limit("", 45.0)]

    def test_how_many_share_is_a_line_in_the_log(
        self, database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        database.sink()
        asked = replace(controls(database), max_rate=90.0)
        with caplog.at_level(logging.INFO, logger="sinks.control.polling"):
            asked.look()
            self.process(database, "a")
            asked.look()
        lines = [record.getMessage() for record in caplog.records]
        assert lines == ["2 processes share the limits of pipeline events"]


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
