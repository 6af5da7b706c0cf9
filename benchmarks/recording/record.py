"""Record a run that is killed by ``kill -9`` and goes on, for README: docs/kill.svg.

    python -m benchmarks.recording.record [--records 600000]

The commands are real, and so is what they print; pauses of more than two seconds are cut to two.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.recording.drawing import Frame, picture, shortened
from examples.events import events, write
from tests.terminals import Terminal, terminals

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "kill.svg"
COLUMNS, ROWS = 96, 24
_LOOK_SECONDS = 0.2
_INGEST = (
    "sluice ingest --source './*.jsonl' --sink sqlite:///shop.db --table events --key event_id"
)
_TITLE = (
    "A run that loads files into a table is killed in the middle with kill -9; the same command goes on "
    "where the last commit was, and sluice audit finds every record accounted for"
)


class Shell:
    """A shell in a terminal that is looked at."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self._terminal = terminal
        self.frames: list[Frame] = []
        scripts = Path(sys.executable).parent
        self._environment = {
            **os.environ,
            "PATH": f"{scripts}:{os.environ['PATH']}",
            "TERM": "xterm-256color",
            "COLUMNS": str(COLUMNS),
        }
        self._folder = folder
        self._began = time.monotonic()

    def run(self, command: str, *, kill_at: int | None = None) -> None:
        """Run a command, and kill it once the table has ``kill_at`` percent of the records."""
        os.write(self._terminal.end, f"$ {command}\r\n".encode())
        self.look(1.0)
        process = subprocess.Popen(
            command,
            shell=True,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._terminal.end,
            stderr=self._terminal.end,
            start_new_session=True,
        )
        while process.poll() is None:
            self.look(_LOOK_SECONDS)
            if kill_at is not None and percent(self.screen()) >= kill_at:
                for each in psutil.Process(process.pid).children(recursive=True):
                    each.kill()
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                os.write(self._terminal.end, b"\r\nKilled (kill -9)\r\n")
                kill_at = None
        self.look(1.5)

    def screen(self) -> tuple[str, ...]:
        """The lines that are seen now."""
        return tuple(line[:COLUMNS] for line in self._terminal.screen())

    def look(self, seconds: float) -> None:
        """Wait, and keep what is seen then."""
        time.sleep(seconds)
        self.frames.append(Frame(time.monotonic() - self._began, self.screen()))


def percent(lines: tuple[str, ...]) -> int:
    """How far the bar of a run is; 0 where there is none."""
    return max((int(part) for part in re.findall(r"━ +(\d+)%", "\n".join(lines))), default=0)


def main() -> None:
    """Record."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=600_000)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="shop-") as name,
        terminals(1, columns=COLUMNS, lines=ROWS) as (terminal,),
    ):
        write(Path(name), events(arguments.records), 4)
        shell = Shell(terminal, Path(name))
        shell.run(_INGEST, kill_at=43)
        shell.run(_INGEST)
        shell.run("sluice audit --sink sqlite:///shop.db")
        PICTURE.write_text(
            picture(shortened(shell.frames, 2.0), _TITLE, columns=COLUMNS, rows=ROWS)
        )
        print("\n".join(shell.screen()))


if __name__ == "__main__":
    main()
