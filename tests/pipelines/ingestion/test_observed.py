"""An ingest shows its metrics while it runs, where that is asked."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.pipelines.commands import ingest


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def scraped(port: int, line: str) -> None:
    """Wait until the metrics have ``line``."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                if line in answer.read().decode():
                    return
        except urllib.error.URLError:
            assert time.monotonic() < deadline


@pytest.mark.slow
def test_metrics_are_there_while_it_runs_and_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1"}\n{"id": "2", "parent": "x"}\n')
    sink, port = f"sqlite:///{tmp_path}/ingest.db", free_port()
    more = ("--metrics_address", str(port), "--summary_json", str(tmp_path / "s.json"))
    seen = threading.Event()

    def scrape() -> None:
        scraped(port, 'sluice_build_info{beam="')
        seen.set()

    thread = threading.Thread(target=scrape, daemon=True)
    thread.start()
    assert ingest(tmp_path / "a.jsonl", sink, *more) == 0
    thread.join(60)
    assert seen.is_set()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5)


def test_an_address_that_is_taken_is_said_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1"}\n')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sink = f"sqlite:///{tmp_path}/ingest.db"
        assert ingest(tmp_path / "a.jsonl", sink, "--metrics_address", str(port)) == 2
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err
    assert not (tmp_path / "ingest.db").exists()
