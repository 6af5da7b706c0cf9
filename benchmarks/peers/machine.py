"""Where and when a measurement was made, in one sentence."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path

import psutil

BUSY = 0.5
"""A load from which figures mean little: the servers and the programs need all of the machine."""


def load_average() -> float:
    """How many processes wanted to run, over the last minute."""
    return os.getloadavg()[0]


def described(servers: str, load: float, commit: str) -> str:
    """This machine, the servers with their versions, the date, the commit, and the load before."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {os.cpu_count()} cores ({processor()}), "
        f"{memory:.0f} GiB, load {load:.1f} before; {servers}, Python "
        f"{platform.python_version()}, commit {commit}."
    )


def processor() -> str:
    """The model of the processor, as Linux calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def commit() -> str:
    """The commit that is checked out, with a plus if files differ from it."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=7", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said.stdout.strip()
