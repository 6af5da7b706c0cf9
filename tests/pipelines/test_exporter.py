"""The exporter as a process: it answers until a signal ends it."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from pipelines import command, exporter
from tests.pipelines.commands import ingest


@pytest.mark.slow
def test_it_answers_until_it_is_ended_and_the_database_may_come_later(tmp_path: Path) -> None:
    sink = f"sqlite:///{tmp_path}/ingest.db"
    argv = ["-m", "pipelines.exporter", "--sink", sink, "--listen", "0", "--interval", "1"]
    with subprocess.Popen([sys.executable, *argv], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:")
            (tmp_path / "a.jsonl").write_text('{"id": "1"}\n')
            assert ingest(tmp_path / "a.jsonl", sink) == 0
            read = f'source="{tmp_path}/a.jsonl",target="events"}} 1.0\n'
            while f'sluice_records_read_total{{pipeline="events",{read}' not in _get(address):
                pass
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


def _get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("more", [["--listen", "h"], ["--interval", "0"], ["--sink", "mars://x"]])
def test_a_wrong_option_is_a_usage_error(
    more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--sink", "sqlite:///x.db", *more]
    assert command.run("exporter", exporter.main, argv) == 2
    assert capsys.readouterr().err.count("\n") == 1
