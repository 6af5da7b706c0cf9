"""Whoever stops reading what a command prints does not change its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.commands import arguments
from tests.pipelines.programs import ROOT

pytestmark = pytest.mark.slow


def exit_code(redirected: str, module: str, *argv: str) -> tuple[int, str]:
    """Of a program whose streams a shell redirects, and what it has written to a pipe as stderr."""
    done = subprocess.run(
        [
            "bash",
            "-o",
            "pipefail",
            "-c",
            f'"$0" -m "$@" {redirected}',
            sys.executable,
            f"pipelines.{module}",
            *argv,
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_the_exit_code_is_that_of_what_was_done(tmp_path: Path) -> None:
    lines = "".join(f'{{"id": {number}}}\n' for number in range(10))
    # A file that no text can name: it is read all the same.
    (tmp_path / os.fsdecode(b"caf\xe9.jsonl")).write_text(f"{lines}broken\n")
    sink = f"sqlite:///{tmp_path}/t.db"
    ingest = arguments(f"{tmp_path}/*.jsonl", sink, "--fail_on_dead_letters")
    code, errors = exit_code(">/dev/full", "ingest", *ingest)
    assert code == 3
    assert "standard output cannot be written: No space left on device" in errors
    assert exit_code(">&- 2>/dev/full", "audit", "--sink", sink) == (0, "")
    listing = ["list", "--sink", sink]
    assert exit_code("| true", "dead_letters", *listing) == (0, "")
    code, errors = exit_code(">/dev/full", "dead_letters", *listing)
    assert code == 1
    assert "standard output cannot be written: No space left on device" in errors
