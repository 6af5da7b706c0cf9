"""A reader's shell: plays the commands of an example's README, as printed, in this process.

``sluice`` and ``sqlite3`` are called here, since a process for each command would cost more than all of
its work. Only what goes on in the background is a process of its own.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest

from sinks.database import leases
from sinks.database.engine import dispose_engines
from sluice.command import main
from tests.services.kafka_produce import produce
from tests.terminals import terminals
from tests.test_readme import ROOT, Command, bin_folders, blocks, commands, pattern, squeezed
from tests.waiting import wait_until

EXAMPLES = ROOT / "examples"

Program = Callable[[Sequence[str]], int]
"""Takes the words behind a program's name, and returns the exit code."""

_UNTIL = re.compile(r'until test "\$\((.*)\)" = (\w+); do sleep 1; done')
"""A shell's loop that waits for what a command prints."""


def section(page: Path, title: str = "") -> list[Command]:
    """The commands of a page before its first section, or of the section ``title``."""
    parts = re.split(r"^## (.*)$", page.read_text(), flags=re.MULTILINE)
    titles = ["", *parts[1::2]]
    return commands(parts[::2][titles.index(title)])


@dataclass
class Shell:
    """A shell in a copy of an example's folder.

    Attributes:
        folder: Where it is.
        patch: Sets the variables that the page exports.
        stands_for: What the page names, and what is here in its place.
        programs: What is called in this process in place of programs that are not here.
    """

    folder: Path
    patch: pytest.MonkeyPatch
    stands_for: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, Program] = field(default_factory=dict)
    _streams: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def database(self) -> str:
        """The URL of the file of SQLite that the page has exported as ``SINK``."""
        return f"sqlite:///{self.folder / os.environ['SINK'].removeprefix('sqlite:///')}"

    def play(self, steps: Sequence[Command]) -> None:
        """Run commands; each has to end with 0 and to print what the page shows."""
        for step in steps:
            code, printed = self._run(step.text)
            shown = "\n".join(printed)
            assert code == 0, f"$ {step.text}\nended with {code}\n{shown}"
            if step.output:
                lines = "".join(f"{squeezed(line)}\n" for line in printed)
                expected = tuple(map(self.here, step.output))
                assert pattern(expected).fullmatch(lines), f"$ {step.text}\n{shown}"

    def close(self) -> None:
        """End what goes on in the background."""
        for stream in self._streams:
            stream.kill()
            stream.wait()

    def here(self, text: str) -> str:
        """A text of the example, with what is here in place of what it names."""
        for name, here in self.stands_for.items():
            text = text.replace(name, here)
        return text

    def _run(self, text: str) -> tuple[int, list[str]]:
        text = self.here(text)
        if text.startswith("export "):
            name, _, value = shlex.split(text)[1].partition("=")
            self.patch.setenv(name, value)
            return 0, []
        if text == "kill %1; wait":
            return self._end(), []
        if text.endswith("&"):
            self._begin(text)
            return 0, []
        if waiting := _UNTIL.fullmatch(text):
            self._wait(*waiting.groups())
            return 0, []
        words = shlex.split(os.path.expandvars(text.replace("\\\n", "")))
        programs: dict[str, Program] = {"sluice": main, "sqlite3": _sqlite3, **self.programs}
        program = programs.get(words[0])
        with terminals(1, columns=400) as (place,), open(place.path, "w") as terminal:
            if program is None:
                code = subprocess.call(["bash", "-c", text], stdout=terminal, stderr=terminal)
            else:
                with redirect_stdout(terminal), redirect_stderr(terminal):
                    code = _called(program, words[1:])
        return code, place.screen()

    def _wait(self, command: str, text: str) -> None:
        """Wait until ``command`` prints ``text``."""
        wait_until(
            lambda: self._run(command) == (0, [text]),
            f"$ {command}\n{text}",
            alive=lambda: all(stream.poll() is None for stream in self._streams),
        )

    def _begin(self, text: str) -> None:
        command = re.sub(r"^sluice ", f"{shlex.quote(sys.executable)} -m sluice ", text[:-1])
        self._streams.append(subprocess.Popen(["bash", "-c", f"exec {command}"]))

    def _end(self) -> int:
        stream = self._streams.pop(0)
        stream.terminate()
        return stream.wait()


def _called(program: Program, words: Sequence[str]) -> int:
    try:
        return program(words)
    finally:
        leases.release_all()
        dispose_engines()


def _sqlite3(words: Sequence[str]) -> int:
    """The shell of SQLite: ``sqlite3 FILE STATEMENT`` and ``sqlite3 FILE < SCRIPT``."""
    name, *rest = words
    statements = Path(rest[1]).read_text() if rest[0] == "<" else rest[0]
    connection = sqlite3.connect(name)
    try:
        if rest[0] == "<":
            connection.executescript(statements)
        else:
            for row in connection.execute(statements):
                line = "|".join("" if cell is None else str(cell) for cell in row)
                sys.stdout.write(f"{line}\n")
        connection.commit()
    finally:
        connection.close()
    return 0


def kcat(words: Sequence[str]) -> int:
    """Append each line of a file to a topic, as ``kcat -P -b BROKER -t TOPIC [-K SIGN] [-Z] -l FILE`` does."""
    parser = ArgumentParser()
    for flag in ("-P", "-Z"):
        parser.add_argument(flag, action="store_true")
    for flag in ("-b", "-t", "-l", "-K"):
        parser.add_argument(flag)
    options = parser.parse_args(words)
    messages: list[tuple[bytes | None, bytes | None]] = []
    for line in Path(options.l).read_bytes().splitlines():
        key, _, value = line.partition(options.K.encode()) if options.K else (None, b"", line)
        messages.append((key, None if options.Z and not value else value))
    produce(options.b, options.t, messages)
    return 0


def aws(words: Sequence[str]) -> int:
    """The commands ``aws s3 mb BUCKET`` and ``aws s3 cp FILE OBJECT``."""
    s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    match words:
        case ["s3", "mb", uri]:
            s3.create_bucket(Bucket=uri.removeprefix("s3://"))
        case ["s3", "cp", name, uri]:
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            s3.put_object(Bucket=bucket, Key=key, Body=Path(name).read_bytes())
        case _:
            return 2
    return 0


@contextmanager
def shell(
    example: str,
    within: Path,
    stands_for: Mapping[str, str] | None = None,
    programs: Mapping[str, Program] | None = None,
) -> Iterator[tuple[Shell, Path]]:
    """A shell in a copy of ``examples/EXAMPLE`` within a folder, and the page of the example."""
    folder = within / example
    shutil.copytree(EXAMPLES / example, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("PAGER", "cat")
        patch.setenv("COLUMNS", "400")  # so wide that no table is folded
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "io")]))
        patch.setenv("PATH", os.pathsep.join([bin_folders(folder), os.environ["PATH"]]))
        player = Shell(folder, patch, stands_for or {}, programs or {})
        page = folder / "README.md"
        for kind in ("json", "yaml"):
            for name, content in blocks(page.read_text(), kind):
                if name:
                    (folder / name).write_text(content)
        for path in folder.glob("*.yaml"):
            path.write_text(player.here(path.read_text()))
        try:
            yield player, page
        finally:
            player.close()
