"""Whole paths: the database is away while a stream is paused, and while somebody asks for a pause.

What was asked last counts until the database is back, the stream survives, and then goes by what is asked.
"""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from sinks.database.engine import dispose_engines
from tests.pipelines.commands import arguments, audit, printed
from tests.pipelines.control.asked import rows, steer
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import count_rows, query
from tests.services.kafka_mock import PARTITIONS, mock_cluster
from tests.services.kafka_produce import produce
from tests.services.tcp_proxy import TcpProxy

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SHORT = "connect_timeout=2&tcp_user_timeout=500&keepalives_idle=1&keepalives_interval=1"
"""As the program's own settings, but for a test's patience."""

ASKED_IN_VAIN = "what is asked of the pipeline is not known now"
COUNT = 400
SECONDS = 90.0


class Lines:
    """What a process prints on stderr, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self._stream = process.stderr
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        for line in self._stream or ():
            self._lines.put(line)

    def await_line(self, text: str) -> str:
        """The next line with ``text``; those before it are over."""
        while True:
            line = self._lines.get(timeout=SECONDS)
            if text in line:
                return line

    def forget(self) -> None:
        """Drop what was printed so far."""
        while not self._lines.empty():
            self._lines.get()


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[TcpProxy]:
    (folder,) = parse_qs(urlsplit(postgres_url).query)["host"]
    with TcpProxy(f"{folder}/.s.PGSQL.5432") as proxy:
        yield proxy
        dispose_engines()


def refused(proxy: TcpProxy) -> None:
    proxy.refuse()
    proxy.cut()


@pytest.mark.parametrize("goes_away", [refused, TcpProxy.blackhole])
def test_what_was_asked_last_counts_until_the_database_is_back(
    goes_away: Callable[[TcpProxy], None],
    proxy: TcpProxy,
    postgres_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sink = f"postgresql://postgres@127.0.0.1:{proxy.port}{urlsplit(postgres_url).path}?{SHORT}"
    sent = 0

    with mock_cluster() as bootstrap:

        def more() -> int:
            """Send records; returns how many there are then."""
            nonlocal sent
            numbers = range(sent, sent + COUNT)
            produce(
                bootstrap, "orders", [(None, b'{"id":%d}' % n, n % PARTITIONS) for n in numbers]
            )
            sent += COUNT
            return sent

        options = ("--streaming", "--backoff_cap", "1", "--log_level", "debug")
        argv = arguments(f"kafka://{bootstrap}/orders", sink, *options)
        more()
        with running(argv, "quickly", "tests.pipelines.control") as process:
            lines = Lines(process)

            def asks_in_vain() -> None:
                goes_away(proxy)
                lines.forget()
                lines.await_line(ASKED_IN_VAIN)

            def is_paused() -> None:
                """Wait until it has seen it, and no poll of before is under way: it asks twice more."""
                lines.await_line("is paused since")
                for limits in (("--max_rate", "1000000"), ("--no_limit",)):
                    assert steer("rate", postgres_url, *limits) == 0
                    lines.await_line("may read")

            wait_for_rows(process, postgres_url, sent)
            assert steer("pause", postgres_url) == 0
            is_paused()
            held = sent

            # It stays paused while the database is away, and when it is back.
            asks_in_vain()
            more()
            capsys.readouterr()
            assert steer("resume", sink) == 1
            (line,) = printed(capsys.readouterr().err)
            assert line.startswith("resume: cannot reach ")
            lines.await_line(ASKED_IN_VAIN)
            proxy.heal()
            assert rows(postgres_url)[""].state == "paused"
            assert steer("drain", postgres_url) == 0
            lines.await_line("is draining since")
            assert count_rows(postgres_url) == held

            # Somebody resumes it while this process cannot learn of it: it goes on once it can.
            asks_in_vain()
            assert steer("resume", postgres_url) == 0
            lines.await_line(ASKED_IN_VAIN)
            assert count_rows(postgres_url) == held
            proxy.heal()
            wait_for_rows(process, postgres_url, sent)

            # Somebody pauses it meanwhile: what was read by then is settled, and no more.
            asks_in_vain()
            assert steer("pause", postgres_url) == 0
            held = more()
            lines.await_line(ASKED_IN_VAIN)
            proxy.heal()
            is_paused()
            more()
            assert steer("drain", postgres_url) == 0
            lines.await_line("is draining since")
            assert count_rows(postgres_url) <= held
            assert steer("resume", postgres_url) == 0
            wait_for_rows(process, postgres_url, sent)

            # The first thing that the database hears of is a pause.
            asks_in_vain()
            proxy.heal()
            assert steer("pause", sink) == 0
            is_paused()
            held = count_rows(postgres_url)
            more()
            assert steer("drain", postgres_url) == 0
            lines.await_line("is draining since")
            assert count_rows(postgres_url) == held
            assert steer("resume", postgres_url) == 0
            wait_for_rows(process, postgres_url, sent)
            assert process.poll() is None
            process.terminate()
            process.wait(60)
            assert process.returncode == 0
    assert query(postgres_url, "SELECT count(*), count(DISTINCT id) FROM events") == [(sent, sent)]
    assert query(postgres_url, "SELECT sum(read), sum(inserted) FROM ingest_progress") == [
        (sent, sent)
    ]
    assert audit(postgres_url) == 0
