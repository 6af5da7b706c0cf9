"""Run another program to its end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from runners.runner import RunnerUnavailable

SECONDS = 900.0
"""The longest that a program may run: some download and compile all of Beam's Go modules."""

_SHOWN = 100
_QUOTED = 300


def run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    errors_on_stdout: bool = False,
) -> str:
    """Run a program; returns what it printed on its standard output.

    Args:
        command: The program and its arguments.
        folder: Its working directory.
        environment: Variables to add to those of this process.
        errors_on_stdout: Whether it reports errors on its standard output, as Maven does.

    Raises:
        RunnerUnavailable: It took longer than ``SECONDS``, or failed. The message is one line
            and ends with the program's last line.
        OSError: It cannot be started.
    """
    line = " ".join([Path(command[0]).name, *command[1:]])
    shown = f"`{line if len(line) <= _SHOWN else f'{line[:_SHOWN]}…'}`"
    try:
        ended = subprocess.run(  # noqa: S603 - no shell, and the callers' commands are constants
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunnerUnavailable(f"{shown} took more than {SECONDS:.0f} s") from error
    if ended.returncode:
        output, errors = ended.stdout.strip(), ended.stderr.strip()
        text = output or errors if errors_on_stdout else errors or output
        last = text.splitlines()[-1][:_QUOTED] if text else "it printed nothing"
        raise RunnerUnavailable(f"{shown} failed with {ended.returncode}: {last}")
    return ended.stdout
