"""The blocks of code of README and docs, which test runs them, and why some are not run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tests.test_docs import PAGES, ROOT

RUN = {
    ("README.md", "console"): "tests/test_readme.py",
    ("README.md", "csv"): "tests/test_readme.py",
    ("README.md", "python"): "tests/pipelines/test_own_steps.py",
    ("docs/tutorial.md", "*"): "tests/test_readme.py",
    ("docs/tutorial-kafka.md", "*"): "tests/test_readme.py",
    ("docs/tutorial-s3.md", "*"): "tests/test_readme.py",
    ("docs/how-to/*.md", "*"): "tests/test_how_to.py",
    ("docs/recipes/*.md", "*"): "tests/test_recipes.py",
    ("examples/*/README.md", "*"): "tests/examples/shell.py",
    ("docs/pipeline-file.md", "*"): "tests/test_pipeline_file_page.py",
    ("docs/plan.md", "*"): "tests/pipelines/planning/test_command.py",
    ("docs/mapping.md", "*"): "tests/test_mapping_page.py",
    ("docs/routes.md", "*"): "tests/test_routes_page.py",
    ("docs/testing.md", "*"): "tests/pipelines/test_test.py",
    ("docs/first-connector.md", "*"): "tests/test_first_steps.py",
    ("docs/first-target.md", "*"): "tests/test_first_steps.py",
    ("docs/workers.md", "*"): "tests/pipelines/workers/test_page.py",
    ("docs/api.md", "python"): "tests/test_api.py",
    ("docs/objects.md", "python"): "tests/io/sinks/objects/test_page.py",
}
"""The test that runs, or writes, the fenced blocks of a kind (``*``: of all) of the pages of a pattern."""

SHOWN = {
    "docs/architecture.md": {"1  a step or the database": "the way of a failed record, in words"},
    "docs/deployment.md": {
        "curl -s localhost:9400": "what a server answers; `tests/pipelines/test_exporter.py` asks it"
    },
    "docs/doctor.md": {"error: indexes": "what the doctor says; `tests/pipelines/test_doctor.py`"},
    "docs/failures.md": {
        '[{"id":"a","b"': "how a typed record is kept; `tests/pipelines/test_typed_retries.py`",
        '[{"id":"u2"}': "the same, of a record that cannot be read as a whole",
        "d = min(cap": "a formula",
    },
    "docs/flink.md": {
        "GET /jobs": "a question to Flink and its answer",
        "metrics.reporters": "settings of Flink",
        "restart-strategy": "settings of Flink",
    },
    "docs/guarantees.md": {"read + expanded": "a sum"},
    "docs/objects.md": {"raw/events/dt=": "the name of an object"},
    "docs/operations.md": {'{"time"': "a line of the log; `tests/pipelines/test_log_lines.py`"},
    "docs/retries.md": {"ingest: 3 jobs": "a message of an ingest"},
    "docs/rewind.md": {"read + expanded": "a sum"},
    "docs/slo.md": {
        "sum by": "a query to Prometheus; those of ops/ are checked by `tests/test_ops.py`",
    },
    "docs/services.md": {
        "from datetime": "Airflow is not installed here: the program is compiled",
        "# /etc/cron.d": "a line for cron",
    },
    "docs/targets.md": {"passed: types": "what a check of conformance says"},
}
"""Blocks that are no program or cannot run here: how they begin, and why."""

ELSEWHERE = {
    "docker": "needs Docker; the files that it reads are checked in tests/deploy/",
    "kubectl": "needs a cluster; the manifests are checked in tests/deploy/",
    "psql": "asks a database that runs",
    "systemctl": "needs systemd; tests/deploy/test_services.py checks the units",
    "journalctl": "the same",
    "python3": "makes an environment, as root",
    "pip": "installs; `tests/test_readme.py` and `tests/test_wheel.py` install the wheel",
    "pipx": "the same",
    "uv": "the same",
    "useradd": "the same",
    "install": "the same",
    "cp": "the same",
    "htpasswd": "makes a log-in",
    "cut": "the same",
    "pre-commit": "changes the repository",
    "export": "sets a variable",
    "git": "changes the repository",
    "cd": "goes to a folder",
    "bash": "takes as long as CI",
    "/tmp/release/bin/sluice": "the wheel of a release; `tests/test_wheel.py` builds and tries one",
    "sqlite3": "stands in a remark",
}
"""Programs in shell blocks that are not ours, and why nothing of them is checked here."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code.

    Attributes:
        page: Relative to the repository.
        line: Where its text begins, from 1.
        kind: The first word behind the fence; empty without one.
        name: What follows the kind: usually the name of a file.
        fenced: Or indented.
        text: Without the fence and the indentation.
    """

    page: str
    line: int
    kind: str
    name: str
    fenced: bool
    text: str

    @property
    def runs_in(self) -> str | None:
        """The test that runs it."""
        for (pattern, kind), test in RUN.items():
            if self.fenced and fnmatch(self.page, pattern) and kind in {"*", self.kind}:
                return test
        return None

    @property
    def reason(self) -> str | None:
        """Why it is not checked."""
        for start, reason in SHOWN.get(self.page, {}).items():
            if self.text.startswith(start):
                return reason
        return None

    @property
    def language(self) -> str:
        """What it is written in; empty if nothing here knows."""
        if self.kind:
            return "shell" if self.kind == "console" else self.kind
        first = program_of(re.sub(r"^#.*\n|^… ", "", self.text).split(maxsplit=1))
        if first in {"sluice", "python", "make", *ELSEWHERE}:
            return "shell"
        if first.upper() == "SELECT":
            return "sql"
        if re.match(r"[a-z]+: \S+$", self.text, re.MULTILINE):
            return "yaml"
        return "python" if re.match(r"\w+ = \w+\(", self.text) else ""


def program_of(words: list[str]) -> str:
    """The program that a command calls, wherever it is installed."""
    return words[0].rpartition("bin/")[2]


def blocks_in(text: str, page: Path) -> Iterator[Block]:
    """The blocks of the text of a page, in order."""
    name = page.relative_to(ROOT).as_posix()
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        fence = re.fullmatch(r"( *)(`{3,})([^\s`]*) ?([^`]*)", lines[at])
        indented = re.match(r" {4,}", lines[at]) if not at or not lines[at - 1].strip() else None
        end = at + 1
        if fence:
            while lines[end].strip() != fence[2]:
                end += 1
            code = "\n".join(line.removeprefix(fence[1]) for line in lines[at + 1 : end])
            yield Block(name, at + 2, fence[3], fence[4], True, f"{code}\n")
            end += 1
        elif indented:
            width = indented.end()
            while end < len(lines) and (lines[end][:4] == "    " or is_between(lines, end)):
                end += 1
            code = "\n".join(line[width:] for line in lines[at:end])
            yield Block(name, at + 1, "", "", False, f"{code}\n")
        at = end


def is_between(lines: list[str], at: int) -> bool:
    """Whether an empty line stands between two lines of an indented block."""
    return not lines[at] and at + 1 < len(lines) and lines[at + 1][:4] == "    "


BLOCKS = [block for page in PAGES for block in blocks_in(page.read_text(), page)]
UNRUN = [block for block in BLOCKS if block.runs_in is None and block.reason is None]


def label(block: Block) -> str:
    return f"{block.page}:{block.line}"


def script_of(text: str) -> str:
    """The commands of a shell block, each on a line; what a ``console`` block prints is left out."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return "\n".join(lines)


def commands_of(script: str) -> Iterator[list[str]]:
    """The words of each command, without where it prints to."""
    for line in script.splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=";|&<>")
        words.whitespace_split = True
        command: list[str] = []
        for word in words:
            if re.fullmatch(r"[<>]+&?", word):  # where it prints to
                command = command[:-1] if command[-1] in {"1", "2"} else command
                next(words)
            elif re.fullmatch(r"[;|&]+", word):
                yield from [command] if command else []
                command = []
            else:
                command.append(word)
        yield from [command] if command else []
