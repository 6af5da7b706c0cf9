"""``sluice run FILE``: the exit codes, the summary and the rows of ``ingest``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines import command
from pipelines.pipeline_file.run import main
from tests.pipelines.tables import query

FILE = """\
pipeline: orders
source: {uri: ./in/*.csv, csv_delimiter: ;}
sink: sqlite:///orders.db
table: orders
key: [id]
map:
  - rename: {Order ID: id}
  - cast: {id: integer}
progress: none
max_dead: 5
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    folder = tmp_path / "conf"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "a.csv").write_text("Order ID;name\n1;a\nx;b\n3;c\n")
    (folder / "orders.yaml").write_text(FILE)
    return str(folder / "orders.yaml")


def ids(folder: Path) -> list[object]:
    rows = query(f"sqlite:///{folder}/orders.db", "SELECT id FROM orders ORDER BY 1")
    return [row[0] for row in rows]


def test_a_file_runs_from_any_folder(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    summary = ["--summary_json", "summary.json"]
    assert command.run("run", main, ["conf/orders.yaml", *summary]) == 0
    counts = json.loads((tmp_path / "summary.json").read_text())
    assert (counts["read"], counts["inserted"], counts["dead"]) == (3, 2, 1)
    assert ids(tmp_path / "conf") == ["1", "3"]
    assert command.run("run", main, [file, "--fail_on_dead_letters"]) == 3


def test_a_mistake_is_one_line_with_exit_code_2(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(file).write_text(f"{FILE}tabel: x\nmax_rate: 0\n")
    assert command.run("run", main, [file]) == 2
    assert capsys.readouterr().err.splitlines() == [
        (
            f"run: {file}:11:1: there is no option tabel; is table meant? (and 1 more: "
            f"`sluice validate {file}` shows all)"
        )
    ]


def test_settings_and_environment_are_run(file: str, tmp_path: Path) -> None:
    Path(file).with_name("orders.dev.yaml").write_text("table: from_env\n")
    assert command.run("run", main, [file, "--env", "dev", "--set", "pipeline=p"]) == 0
    url = f"sqlite:///{tmp_path}/conf/orders.db"
    assert query(url, "SELECT count(*) FROM from_env")[0][0] == 2
    (row,) = query(url, "SELECT pipeline, options FROM ingest_runs")
    options = json.loads(row[1]) if isinstance(row[1], str) else row[1]
    assert row[0] == "p"
    assert options["file"]["path"] == file
    assert options["file"]["env"] == "dev"


def test_no_message_shows_a_secret_of_the_file_or_of_a_setting(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    away = "postgresql://u:canary-{}@127.0.0.1:9/d"
    Path(file).write_text(FILE.replace("sqlite:///orders.db", away.format("of-a-file")))
    assert command.run("run", main, [file, "--set", "outage_budget=0"]) == 1
    setting = f"sink={away.format('of-a-setting')}"
    assert command.run("run", main, [file, "--set", "outage_budget=0", "--set", setting]) == 1
    assert command.run("run", main, [file, "--set", setting, "--set", "max_rate=0"]) == 2
    captured = capsys.readouterr()
    assert "127.0.0.1" in captured.err
    assert "canary" not in captured.out + captured.err


def test_a_flag_that_does_not_fit_is_called_as_the_user_wrote_it(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run("run", main, [file, "--detach"]) == 2
    assert capsys.readouterr().err.startswith("run: --detach: with DirectRunner")
