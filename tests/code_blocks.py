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

PLAYED = {
    ("README.md", "*"): "tests/pages/test_topics.py",
    ("docs/change-events.md", "*"): "tests/pages/test_topics.py",
    ("docs/commands.md", "*"): "tests/pages/test_programs.py",
    ("docs/compaction.md", "*"): "tests/pages/test_objects.py",
    ("docs/console.md", "*"): "tests/pages/test_programs.py",
    ("docs/control.md", "*"): "tests/pages/test_topics.py",
    ("docs/deployment.md", "kubectl"): "tests/pages/test_deployment.py",
    ("docs/deployment.md", "psql"): "tests/pages/test_deployment.py",
    ("docs/deployment.md", "sluice flink"): "tests/pages/test_flink.py",
    ("docs/doctor.md", "*"): "tests/pages/test_database.py",
    ("docs/files.md", "*"): "tests/pages/test_objects.py",
    ("docs/first-connector.md", "*"): "tests/test_first_steps.py",
    ("docs/first-target.md", "*"): "tests/test_first_steps.py",
    ("docs/flink.md", "make flink-up"): "tests/pages/test_flink.py",
    ("docs/flink.md", "python -m examples"): "tests/pipelines/test_own_stream.py",
    ("docs/install.md", "python3"): "tests/test_wheel.py",
    ("docs/kafka.md", "*"): "tests/pages/test_topics.py",
    ("docs/mapping.md", "*"): "tests/pages/test_programs.py",
    ("docs/objects.md", "*"): "tests/pages/test_objects.py",
    ("docs/operations.md", "*"): "tests/pages/test_database.py",
    ("docs/outbox.md", "*"): "tests/pages/test_topics.py",
    ("docs/registry.md", "*"): "tests/pages/test_topics.py",
    ("docs/releasing.md", "git tag"): "tests/test_wheel.py",
    ("docs/releasing.md", "python -m venv"): "tests/test_wheel.py",
    ("docs/retries.md", "*"): "tests/pages/test_database.py",
    ("docs/rewind.md", "*"): "tests/pages/test_topics.py",
    ("docs/routes.md", "*"): "tests/pages/test_topics.py",
    ("docs/schema-evolution.md", "*"): "tests/pages/test_objects.py",
    ("docs/services.md", "*"): "tests/pages/test_services.py",
    ("docs/steps.md", "*"): "tests/pages/test_programs.py",
    ("docs/targets.md", "*"): "tests/pages/test_programs.py",
    ("docs/upgrading.md", "*"): "tests/pages/test_database.py",
}
"""The test that runs the commands of the blocks of a page that begin so (``*``: of all) with substitutions: with
what the tests have in place of what the page leaves open, such as the URL of a database
(``tests/pages/substitutions.py``)."""

TRIED = {
    "docs/doctor.md": {"error: indexes": "tests/pages/test_database.py"},
    "docs/failures.md": {
        '[{"id":"a","b"': "tests/pages/test_texts.py",
        '[{"id":"u2"}': "tests/pages/test_texts.py",
    },
    "docs/guarantees.md": {"read + expanded": "tests/pages/test_texts.py"},
    "docs/objects.md": {"raw/events/dt=": "tests/pages/test_objects.py"},
    "docs/retries.md": {"ingest: 3 jobs": "tests/pages/test_database.py"},
    "docs/rewind.md": {"read + expanded": "tests/pages/test_texts.py"},
    "docs/services.md": {
        "from datetime": "tests/pages/test_services.py",
        "# /etc/cron.d": "tests/pages/test_services.py",
    },
    "docs/slo.md": {"": "tests/pages/test_texts.py"},
}
"""By page and how they begin: blocks that are no commands and no program, and the test that compares what they show
with what is so."""

SHOWN = {
    "docs/architecture.md": {"1  a step or the database": "the way of a failed record, in words"},
    "docs/deployment.md": {
        "curl -s localhost:9400": "what a server answers; `tests/pipelines/test_exporter.py` asks it"
    },
    "docs/failures.md": {"d = min(cap": "a formula"},
    "docs/flink.md": {
        "GET /jobs": "a question to Flink and its answer",
        "metrics.reporters": "settings of Flink",
        "restart-strategy": "settings of Flink",
    },
    "docs/operations.md": {'{"time"': "a line of the log; `tests/pipelines/test_log_lines.py`"},
    "docs/targets.md": {"passed: types": "what a check of conformance says"},
}
"""Blocks that are no program or cannot run here: how they begin, and why."""

OTHERS = {"git", "install", "kubectl", "psql"}
"""Programs at the beginning of shell blocks that are not ours, and run here."""

ELSEWHERE = {
    "docker": "needs Docker; the files that it reads are checked in tests/deploy/",
    "systemctl": "needs systemd; tests/deploy/test_services.py checks the units",
    "journalctl": "the same",
    "python3": "makes an environment, as root",
    "pip": "installs; `tests/test_readme.py` and `tests/test_wheel.py` install the wheel",
    "pipx": "the same",
    "uv": "the same",
    "useradd": "the same",
    "make": "takes minutes, or changes the repository; each target is tried with --dry-run",
    "htpasswd": "makes a log-in",
    "cut": "the same",
    "pre-commit": "changes the repository",
    "export": "sets a variable",
    "bash": "takes as long as CI",
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
    def played_in(self) -> str | None:
        """The test that runs its commands with substitutions; None also if no command of it runs here."""
        if (
            self.runs_in
            or self.tried_in
            or self.reason
            or self.language != "shell"
            or not list(lines_of(self))
        ):
            return None
        for (page, begins), test in PLAYED.items():
            if page == self.page and (begins == "*" or self.text.startswith(begins)):
                return test
        return None

    @property
    def tried_in(self) -> str | None:
        """The test that compares what it shows with what is so."""
        for start, test in TRIED.get(self.page, {}).items():
            if not self.runs_in and self.text.startswith(start):
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
        if first in {"sluice", "python", *OTHERS, *ELSEWHERE}:
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
UNRUN = [block for block in BLOCKS if not (block.runs_in or block.tried_in or block.reason)]
"""The blocks that are commands with something left open, or that ``tests/test_code_blocks.py`` runs by their language."""


def fenced(page: str, kind: str) -> list[str]:
    """The texts of the fenced blocks of a kind on a page."""
    return [block.text for block in BLOCKS if (block.page, block.kind) == (page, kind)]


def label(block: Block) -> str:
    return f"{block.page}:{block.line}"


def script_of(text: str) -> str:
    """The commands of a shell block, each on a line; what a ``console`` block prints is left out."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return "\n".join(lines)


def lines_of(block: Block) -> Iterator[str]:
    """The lines of a shell block that run here: those that call no program of ``ELSEWHERE``."""
    for line in script_of(block.text).splitlines():
        if any(program_of(words) not in ELSEWHERE for words in commands_of(line)):
            yield line


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
