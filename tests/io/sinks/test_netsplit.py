"""Connections that are cut, refused, slow or silent: every row once, nothing dead, ledger exact."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest

from sinks.database.engine import dispose_engines
from sinks.sql import SqlSink
from tests.fakes import committed_alone
from tests.io.sinks.tested_database import Database, make_batch
from tests.services.tcp_proxy import TcpProxy
from transforms.batch.backoff import Backoff
from transforms.batch.record import RecordBatch
from transforms.errors import SinkUnavailable
from transforms.settle.write import WriteConfig

pytestmark = pytest.mark.integration

FAST = WriteConfig(backoff=Backoff(base=0.01, cap=0.1), outage_budget=60)
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""The message by which psycopg2 commits (PostgreSQL manual, 54.7: Query)."""
SHORT = "connect_timeout=2&tcp_user_timeout=500&keepalives_idle=1&keepalives_interval=1"
"""As the sink's own settings, but for a test's patience."""


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[TcpProxy]:
    (folder,) = parse_qs(urlsplit(postgres_url).query)["host"]
    with TcpProxy(f"{folder}/.s.PGSQL.5432") as tcp_proxy:
        yield tcp_proxy
        dispose_engines()


def sink_through(proxy: TcpProxy, postgres_url: str, options: str = "") -> SqlSink:
    """A sink whose table is there, and that has no connection yet."""
    name = urlsplit(postgres_url).path
    url = f"postgresql://postgres@127.0.0.1:{proxy.port}{name}?{options}"
    sink = Database("postgres", url).sink(key=["id"])
    dispose_engines()
    return sink


def connected(proxy: TcpProxy, postgres_url: str, options: str = "") -> SqlSink:
    """The same, with a connection that has been used: rows 0 to 40 are there."""
    sink = sink_through(proxy, postgres_url, options)
    sink.commit([batch(0)])
    return sink


def test_a_server_that_only_acknowledges_is_given_up(
    proxy: TcpProxy, postgres_url: str, target: Database
) -> None:
    """A stopped server: TCP is well, so that only the time of the whole transaction tells."""
    sink = connected(proxy, postgres_url, SHORT)
    impatient = replace(sink.config.database, statement_timeout=1)
    sink = replace(sink, config=replace(sink.config, database=impatient))
    sink.commit([batch(40)])
    proxy.stall()
    with pytest.raises(SinkUnavailable, match="connection"):
        sink.commit([batch(80)])
    proxy.heal()
    (settled,), _ = committed_alone(sink, [batch(80)], FAST)
    assert settled.trimmed == 0
    assert settled.counts.inserted == settled.counts.read > 0


@pytest.fixture
def target(postgres_url: str) -> Database:
    """The database without the proxy."""
    database = Database("postgres", postgres_url)
    database.run("CREATE TABLE events (id integer PRIMARY KEY, v text)")
    return database


def batch(start: int, count: int = 40) -> RecordBatch:
    return make_batch([{"id": i, "v": f"value {i}"} for i in range(start, start + count)], start)


def assert_once(target: Database, count: int) -> None:
    """Rows 0 to ``count``, each once; one range in the ledger that says so; nothing failed."""
    assert target.rows("SELECT count(*), min(id), max(id) FROM events") == [(count, 0, count - 1)]
    ledger = target.rows(
        "SELECT start_offset, end_offset, read, inserted, updated, duplicates, filtered, dead, "
        "retrying FROM ingest_progress"
    )
    assert ledger == [(0, count, count, count, 0, 0, 0, 0, 0)]
    assert target.rows("SELECT count(*) FROM ingest_jobs") == [(0,)]


class TestCut:
    @pytest.mark.parametrize("seed", [1, 2])
    def test_fifty_cuts_anywhere_lose_nothing_and_repeat_nothing(
        self, proxy: TcpProxy, postgres_url: str, target: Database, seed: int
    ) -> None:
        chance = random.Random(seed)
        sink = sink_through(proxy, postgres_url)
        done = 0
        while proxy.cuts < 50 or proxy.armed:
            if not proxy.armed:
                match chance.choice(("bytes", "bytes", "before", "after", "idle")):
                    case "bytes":
                        proxy.cut_after(chance.randrange(1, 8_000))
                    case "before":
                        proxy.cut_at(COMMIT, answered=False)
                    case "after":
                        proxy.cut_at(COMMIT, answered=True)
                    case _:
                        proxy.cut()
            size = chance.randrange(1, 200)
            (settled,), _ = committed_alone(sink, [batch(done, size)], FAST)
            assert (settled.counts.read, settled.counts.inserted, settled.trimmed) == (
                size,
                size,
                0,
            ), "counted once, also when the answer to its commit was lost"
            done += size
        assert proxy.cuts >= 50
        assert_once(target, done)

    def test_before_commit_is_sent_nothing_is_there(
        self, proxy: TcpProxy, postgres_url: str, target: Database
    ) -> None:
        sink = connected(proxy, postgres_url)
        proxy.cut_at(COMMIT, answered=False)
        with pytest.raises(SinkUnavailable, match="cannot reach postgresql database"):
            sink.commit([batch(40)])
        assert_once(target, 40)
        (settled,) = sink.commit([batch(40)])
        assert (settled.counts.inserted, settled.trimmed) == (40, 0)
        assert_once(target, 80)

    def test_when_the_answer_to_commit_is_lost_the_ledger_tells_its_fate(
        self, proxy: TcpProxy, postgres_url: str, target: Database
    ) -> None:
        sink = connected(proxy, postgres_url)
        proxy.cut_at(COMMIT, answered=True)
        with pytest.raises(SinkUnavailable):
            sink.commit([batch(40)])
        assert_once(target, 80)
        (settled,) = sink.commit([batch(40)])
        assert (settled.counts.read, settled.counts.inserted, settled.trimmed) == (0, 0, 40)
        proxy.cut_at(COMMIT, answered=True)
        (settled,), _ = committed_alone(sink, [batch(80)], FAST)
        assert (settled.counts.read, settled.counts.inserted, settled.trimmed) == (40, 40, 0)
        assert_once(target, 120)

    def test_in_the_middle_of_copy(
        self, proxy: TcpProxy, postgres_url: str, target: Database
    ) -> None:
        sink = sink_through(proxy, postgres_url)
        proxy.cut_after(70_000)
        (settled,), waited = committed_alone(sink, [batch(0, 10_000)], FAST)
        assert (proxy.cuts, proxy.armed) == (1, False)
        assert waited > 0
        assert settled.counts.inserted == 10_000
        assert_once(target, 10_000)


def test_a_refused_connection_is_waited_for(
    proxy: TcpProxy, postgres_url: str, target: Database
) -> None:
    sink = connected(proxy, postgres_url)
    proxy.refuse()
    proxy.cut()
    again = threading.Timer(2.0, proxy.accept)
    again.start()
    (settled,), waited = committed_alone(sink, [batch(40)], FAST)
    again.join()
    assert settled.counts.inserted == 40
    assert waited > 0
    assert_once(target, 80)


class TestSilence:
    def test_what_is_sent_into_a_split_ends_by_the_users_timeout(
        self, proxy: TcpProxy, postgres_url: str, target: Database
    ) -> None:
        sink = connected(proxy, postgres_url, SHORT)
        proxy.blackhole()
        with pytest.raises(SinkUnavailable, match="timed out"):
            sink.commit([batch(40)])
        with pytest.raises(SinkUnavailable, match=r"timed out|timeout expired"):
            sink.commit([batch(40)])
        proxy.heal()
        committed_alone(sink, [batch(40)], FAST)
        assert_once(target, 80)

    def test_an_answer_that_is_lost_in_a_split_ends_by_keepalives(
        self, proxy: TcpProxy, postgres_url: str, target: Database
    ) -> None:
        sink = sink_through(proxy, postgres_url, SHORT)
        with closing(psycopg2.connect(postgres_url)) as holder, holder.cursor() as cursor:
            cursor.execute("LOCK TABLE events")
            failed = threading.Event()

            def write() -> None:
                try:
                    sink.commit([batch(0)])
                except SinkUnavailable:
                    failed.set()

            waiting = threading.Thread(target=write)
            waiting.start()
            until_locked_out(target)
            proxy.blackhole()
            waiting.join(60)
            assert failed.is_set()
        proxy.heal()
        committed_alone(sink, [batch(0)], FAST)
        assert_once(target, 40)

    def test_a_short_split_is_only_slow(
        self, proxy: TcpProxy, postgres_url: str, target: Database
    ) -> None:
        sink = connected(proxy, postgres_url)
        connections = proxy.connections
        proxy.blackhole()
        healing = threading.Timer(0.3, proxy.heal)
        healing.start()
        _, waited = committed_alone(sink, [batch(40)], FAST)
        healing.join()
        assert (waited, proxy.connections) == (0.0, connections)
        assert_once(target, 80)

    def test_latency_is_only_slow(
        self, proxy: TcpProxy, postgres_url: str, target: Database
    ) -> None:
        sink = connected(proxy, postgres_url)
        connections = proxy.connections
        proxy.delay(0.02)
        _, waited = committed_alone(sink, [batch(40)], FAST)
        assert (waited, proxy.connections) == (0.0, connections)
        assert_once(target, 80)


def until_locked_out(target: Database) -> None:
    """Wait until a writer waits for the table."""
    deadline = threading.Event()
    for _ in range(3_000):
        waiting = target.rows(
            "SELECT count(*) FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted"
        )
        if waiting == [(1,)]:
            return
        deadline.wait(0.01)
    raise AssertionError("nobody waits for the table")
