"""A database, broker or object store that is away at the start is waited for, as in mid-run."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from runners.ports import free_ports
from sinks.database.engine import dispose_engines
from tests.pipelines.commands import arguments, ingest
from tests.pipelines.programs import running
from tests.pipelines.tables import count_rows
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.services.tcp_proxy import TcpProxy
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_text('{"id": 1}\n{"id": 2}\n')
    return path


@pytest.fixture
def database(postgres_url: str) -> Iterator[TcpProxy]:
    """A proxy of the server that takes no connections yet."""
    (folder,) = parse_qs(urlsplit(postgres_url).query)["host"]
    with TcpProxy(f"{folder}/.s.PGSQL.5432") as proxy:
        proxy.refuse()
        yield proxy
        dispose_engines()


def through(proxy: TcpProxy, postgres_url: str) -> str:
    return f"postgresql://postgres@127.0.0.1:{proxy.port}{urlsplit(postgres_url).path}"


def is_waited_for(
    run: Callable[[], int], capsys: pytest.CaptureFixture[str], back: TcpProxy
) -> int:
    """The exit code of ``run``, which begins while ``back`` refuses every connection."""
    codes: list[int] = []
    printed: list[str] = []

    def is_said() -> bool:
        printed.append(capsys.readouterr().err)
        return "waiting for it" in "".join(printed)

    thread = threading.Thread(target=lambda: codes.append(run()), daemon=True)
    thread.start()
    wait_until(is_said, "a line", alive=thread.is_alive)
    back.accept()
    thread.join(90)
    return codes[0]


def test_the_database(
    database: TcpProxy, postgres_url: str, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = through(database, postgres_url)
    assert is_waited_for(lambda: ingest(events, sink), capsys, database) == 0
    assert count_rows(postgres_url, "events") == 2


@pytest.mark.parametrize("more", [(), ("--streaming",)])
def test_the_database_for_longer_than_the_budget(
    database: TcpProxy,
    postgres_url: str,
    events: Path,
    more: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    sink = through(database, postgres_url)
    assert ingest(events, sink, "--outage_budget", "0.5", *more) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("ingest: cannot reach ")
    assert "Connection refused" in last
    assert last.endswith(("(waited 0 s)", "(waited 1 s)"))


def test_a_database_that_does_not_exist_is_said_at_once(
    postgres_url: str, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = postgres_url.replace(urlsplit(postgres_url).path, "/nowhere", 1)
    assert ingest(events, sink, "--outage_budget", "3600") == 2
    assert 'database "nowhere" does not exist' in capsys.readouterr().err


def test_the_name_of_a_host_may_be_a_mistake_so_it_is_said_at_once(
    events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = "postgresql://u@no.such.host.invalid/db"
    assert ingest(events, sink, "--outage_budget", "0.5") == 1
    first = json.loads(capsys.readouterr().err.splitlines()[0])
    assert 'could not translate host name "no.such.host.invalid"' in first["event"]


def test_a_sqlite_database_that_cannot_be_one_is_said_at_once(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ingest(events, f"sqlite:///{tmp_path}", "--outage_budget", "3600") == 2
    assert "is a folder" in capsys.readouterr().err


def test_the_broker(
    kafka_broker: KafkaBroker,
    topic: Topics,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, sink = topic(), f"sqlite:///{tmp_path}/a.db"
    kafka_broker.produce(name, [(None, b'{"id":1}')])
    host, port = kafka_broker.bootstrap.split(":")
    with TcpProxy((host, int(port))) as proxy:
        proxy.refuse()
        uri = f"kafka://127.0.0.1:{proxy.port}/{name}"
        assert is_waited_for(lambda: ingest(uri, sink), capsys, proxy) == 0
    assert count_rows(sink, "events") == 1


def test_the_object_store(
    s3_endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    sink = f"sqlite:///{tmp_path}/a.db"
    more = ("--s3_endpoint_url", nobody, "--outage_budget", "0.5")
    assert ingest("s3://bucket/*.jsonl", sink, *more) == 1
    assert "ingest: cannot reach s3://bucket/*.jsonl" in capsys.readouterr().err


def test_an_object_store_without_credentials_is_said_at_once(
    s3_endpoint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    more = ("--s3_endpoint_url", f"{s3_endpoint}/", "--outage_budget", "3600")
    assert ingest("s3://bucket/*.jsonl", f"sqlite:///{tmp_path}/a.db", *more) == 2
    assert "no AWS credentials" in capsys.readouterr().err


def test_ctrl_c_ends_the_wait_at_once(events: Path) -> None:
    sink = f"postgresql://u@127.0.0.1:{free_ports(1)[0]}/db"
    with running(arguments(events, sink, "--backoff_cap", "3600")) as process:
        assert process.stderr is not None
        assert "waiting for it" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read().splitlines()[-1] == "ingest: interrupted"
