"""What a command prints may be lost; that never changes its exit code, nor raises an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners import streams

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from runners import streams
with streams.lasting():
    print("x" * 100_000)
    print("noise", file=sys.stderr)
    reason = streams.lost()
sys.exit(40 if reason is None else 41)
"""


def exit_code(redirections: str) -> int:
    """Of a program that prints more than a buffer holds, with its streams redirected by a shell."""
    shell = f'"$0" -c "$1" {redirections}'
    return subprocess.run(
        ["sh", "-c", shell, sys.executable, PROGRAM], cwd=ROOT, check=False
    ).returncode


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirections", "code"),
    [
        (">/dev/null", 40),
        (">&-", 40),
        ("2>&- >/dev/null", 40),
        (">&- 2>&- <&-", 40),
        ("2>/dev/full >/dev/null", 40),
        (">/dev/full 2>/dev/full", 41),
    ],
)
def test_a_stream_that_takes_nothing_leaves_the_exit_code(redirections: str, code: int) -> None:
    assert exit_code(redirections) == code


@pytest.mark.slow
def test_a_reader_that_has_gone_is_no_loss() -> None:
    out, into = os.pipe()
    os.close(out)
    try:
        done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=into, check=False)
    finally:
        os.close(into)
    assert done.returncode == 40


@pytest.mark.slow
def test_no_file_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom runners import streams\n"
        "with streams.lasting():\n"
        f"    file = os.open({str(tmp_path / 'rows.db')!r}, os.O_CREAT | os.O_WRONLY)\n"
        "    os.write(1, b'a line of a library')\n"
        "    sys.exit(file)\n"
    )
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" >&- 2>&- <&-', sys.executable, program], cwd=ROOT, check=False
    )
    assert done.returncode > 2
    assert (tmp_path / "rows.db").read_bytes() == b""


@pytest.mark.slow
def test_a_character_that_the_encoding_lacks_is_escaped() -> None:
    program = (
        "from runners import streams\nwith streams.lasting():\n    print('caf\\xe9 \\udce9')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "caf\\xe9 \\udce9\n"


def test_streams_that_a_program_has_replaced_stay(capsys: pytest.CaptureFixture[str]) -> None:
    replaced = sys.stdout
    with streams.lasting():
        assert sys.stdout is replaced
        sys.stdout.write("here\n")
        assert streams.lost() is None
    assert capsys.readouterr().out == "here\n"


def test_the_streams_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stdout__", sys.stdout)
    before = sys.stdout
    with streams.lasting():
        assert sys.stdout is not before
    assert sys.stdout is before
