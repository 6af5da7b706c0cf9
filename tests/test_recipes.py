"""Every recipe runs as printed, in one process and on Flink, and leaves the rows that it shows."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines import command
from pipelines.ingest import main as ingest
from pipelines.pipeline_file.run import main as run_file
from runners.flink.local.cluster import FlinkCluster
from sinks.database import leases
from sinks.database.engine import dispose_engines
from tests.pipelines.tables import create_schema, query
from tests.services.flink_guarded import job_arguments
from transforms.mapping.reading.document import load, parsed

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "recipes"
RECIPES = sorted(page for page in FOLDER.glob("*.md") if page.name != "README.md")
HASHED = [page for page in RECIPES if page.stem == "hashed-email"]
"""The recipe whose mapping needs a secret."""

ALL_ON_FLINK = "ALL_RECIPES" in os.environ


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a page shows.

    Attributes:
        files: The files that it names, and their text.
        table: The statement that makes the table.
        commands: The words of each command.
        select: The statement that shows the rows.
        rows: The rows, with ``|`` between cells.
    """

    files: dict[str, str]
    table: str
    commands: list[list[str]]
    select: str
    rows: list[str]

    @classmethod
    def of(cls, page: Path) -> Recipe:
        blocks = re.findall(r"^```(\w+) ?(.*)\n((?:.*\n)*?)```$", page.read_text(), re.MULTILINE)
        files = {name: text for kind, name, text in blocks if kind in ("csv", "json", "yaml")}
        (table,) = (text for kind, _, text in blocks if kind == "sql")
        (console,) = (text for kind, _, text in blocks if kind == "console")
        ((select, rows),) = ((select, text) for kind, select, text in blocks if kind == "text")
        commands = [shlex.split(line.removeprefix("$ ")) for line in console.splitlines()]
        return cls(files, table, commands, select, rows.splitlines())

    def write(self, folder: Path) -> None:
        """Write the files into ``folder``."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    def play(self, folder: Path, sink: str, *more: str) -> None:
        """Run the commands in ``folder``, and look whether the rows are in ``sink``, or their own."""
        self.write(folder)
        for words in self.commands:
            if words[0] == "export":
                continue
            assert words[:2] == ["sluice", "ingest"]
            url = sink or words[words.index("--sink") + 1]
            query(url, self.table)
            argv = [url if word.startswith("sqlite://") else word for word in words[2:]]
            assert command.run("ingest", ingest, [*argv, "--no_progress", *more]) == 0
            self.check(url)

    def play_file(self, folder: Path, url: str, *more: str) -> None:
        """Run the pipeline file, and look whether the rows are in ``url``, its database."""
        self.write(folder)
        query(url, self.table)
        path = str(folder / "pipeline.yaml")
        assert command.run("run", run_file, [path, "--no_progress", *more]) == 0
        self.check(url)

    def check(self, url: str) -> None:
        """Look whether the rows are in a database."""
        cells = (
            ["" if cell is None else str(cell) for cell in row] for row in query(url, self.select)
        )
        assert ["|".join(row) for row in cells] == self.rows

    @property
    def database(self) -> str:
        """The file that the pipeline file writes to."""
        return str(parsed(self.files["pipeline.yaml"], "pipeline.yaml").plain["sink"]).removeprefix(
            "sqlite:///"
        )


@pytest.fixture(params=RECIPES, ids=lambda page: page.stem)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return Recipe.of(request.param)


@pytest.mark.slow
def test_a_recipe_leaves_the_rows_that_it_shows(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in recipe.commands:
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            monkeypatch.setenv(name, value)
    try:
        recipe.play(tmp_path, "")
        folder = tmp_path / "of a file"
        recipe.play_file(folder, f"sqlite:///{folder}/{recipe.database}")
    finally:
        leases.release_all()
        dispose_engines()


def test_a_recipe_is_short(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(recipe.files["map.yaml"])
    assert load(path).value
    assert recipe.files["map.yaml"].count("\n") <= 10


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(900)  # up to six jobs, on a loaded machine
def test_recipes_leave_the_same_rows_on_flink(
    flink: FlinkCluster, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by its pipeline file, one by its commands; `make recipes-flink` takes all, three by three."""
    chosen = RECIPES if ALL_ON_FLINK else [RECIPES[0], *HASHED]
    assert len(chosen) >= 2
    for number, page in enumerate(chosen):
        recipe = Recipe.of(page)
        folder = tmp_path / page.stem
        folder.mkdir()
        monkeypatch.chdir(folder)
        url = create_schema(postgres_url, page.stem.replace("-", "_"))
        if number < len(chosen) // 2:
            recipe.play_file(folder, url, f"--set=sink={url}", *flink_settings(flink))
        else:
            on_flink(recipe, folder, tmp_path / "key")
            recipe.play(folder, url, "--runner", "FlinkRunner", *job_arguments(flink))
    dispose_engines()


def flink_settings(flink: FlinkCluster) -> list[str]:
    """What makes a pipeline file run on ``flink``."""
    words = job_arguments(flink)
    pairs = zip(words[::2], words[1::2], strict=True)
    return [
        "--set=runner=FlinkRunner",
        *(f"--set=runner_options.{name.removeprefix('--')}='{value}'" for name, value in pairs),
    ]


def on_flink(recipe: Recipe, folder: Path, key: Path) -> None:
    """Change a recipe's commands as its reader would: workers have other folders and variables."""
    for words in recipe.commands:
        if words[0] == "export":  # workers that run already do not have the variable
            name, _, value = words[1].partition("=")
            key.write_text(value)
            recipe.files["map.yaml"] = recipe.files["map.yaml"].replace(
                f"${{env:{name}}}", f"${{file:{key}}}"
            )
        else:
            at = words.index("--source") + 1
            words[at] = str(folder / words[at].removeprefix("./"))
