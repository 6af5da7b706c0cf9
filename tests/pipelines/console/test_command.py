"""The command: its flags, and its life as a process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from pipelines import command
from pipelines.console import command as console


@pytest.mark.slow
@pytest.mark.parametrize("program", [["pipelines.console"], ["sluice", "console"]])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_until_it_is_ended(
    tmp_path: Path, program: list[str], number: signal.Signals
) -> None:
    argv = ["-m", *program, "--sink", f"sqlite:///{tmp_path}/a.db", "--listen", "0"]
    with subprocess.Popen(
        [sys.executable, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            address = process.stdout.readline().strip()
            with urllib.request.urlopen(f"{address}about", timeout=30) as answer:
                assert answer.status == 200
                assert "Server" not in answer.headers
            host, _, port = address.removeprefix("http://").strip("/").partition(":")
            with socket.create_connection((host, int(port)), timeout=30) as raw:
                raw.sendall(b"NONSENSE\r\n\r\n")
                text = b"".join(iter(lambda: raw.recv(65_536), b"")).decode()
            assert text.startswith("HTTP/1.1 400")
            assert "content-security-policy" in text.lower()
            process.send_signal(number)
            assert process.wait(30) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


@pytest.mark.parametrize(
    "more",
    [
        *(["--listen", "h"], ["--refresh", "0"], ["--sink", "mars://x"], ["--role", "admin"]),
        *(["--listen", "0.0.0.0:0"], ["--users", "nowhere"], ["--role", "root"]),
        *(["--role_header", "X"], ["--user_header", "a b"], ["--token_file", "nowhere"]),
        ["--sink", "s3://bucket/x"],
    ],
)
def test_a_wrong_option_is_a_usage_error(
    more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    sink = [] if "--sink" in more else ["--sink", "sqlite:///x.db"]
    assert command.run("console", console.main, [*sink, *more]) == 2
    assert capsys.readouterr().err.count("\n") == 1
