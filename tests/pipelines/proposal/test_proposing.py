from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines import command
from pipelines.proposal.init import main
from tests.pipelines.proposal.proposed import document, properties, propose, rows, run

INIT = "init"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a file of two orders."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text("order_id,name\n1,Ann\n2,Bob\n")
    return tmp_path


def init(*argv: str) -> int:
    return command.run(INIT, main, argv)


def test_the_file_is_named_after_the_table_and_said(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert init("orders.csv") == 0
    assert capfd.readouterr().out == (
        "wrote orders.yaml: 2 columns and the key order_id, from all 2 records; read it, then: "
        "sluice validate orders.yaml\n"
    )
    said = document(here / "orders.yaml")
    assert (said["source"], said["sink"]) == ("orders.csv", "sqlite:///orders.db")
    assert sorted(path.name for path in here.iterdir()) == ["orders.csv", "orders.yaml"]


def test_a_dash_prints_it(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert init("orders.csv", "--output", "-", "--table", "app.Orders") == 0
    printed = capfd.readouterr().out
    assert "table: app.Orders  #" in printed
    assert "pipeline: app_orders  #" in printed
    assert sorted(path.name for path in here.iterdir()) == ["orders.csv"]


def test_paths_are_those_from_the_folder_of_the_file(here: Path) -> None:
    (here / "sub" / "deep").mkdir(parents=True)
    argv = ["--sink", "sqlite:///a.db?timeout=5", "--schema_file", "sub/o.schema.json"]
    assert init("orders.csv", "--output", "sub/deep/o.yaml", *argv) == 0
    said = document(here / "sub" / "deep" / "o.yaml")
    assert said["source"] == "../../orders.csv"
    assert said["sink"] == "sqlite:///../../a.db?timeout=5"
    assert said["schema"] == "../o.schema.json"
    schema = json.loads((here / "sub" / "o.schema.json").read_text())
    assert list(schema["properties"]) == ["order_id", "name"]


def test_paths_below_the_folder_of_the_file_begin_with_a_dot(here: Path) -> None:
    (here.parent / "elsewhere").mkdir(exist_ok=True)
    assert init("orders.csv", "--output", str(here.parent / "o.yaml")) == 0
    assert document(here.parent / "o.yaml")["source"] == f"./{here.name}/orders.csv"


@pytest.mark.parametrize("option", ["--output", "--schema_file"])
def test_nothing_is_overwritten(here: Path, capfd: pytest.CaptureFixture[str], option: str) -> None:
    (here / "there.yaml").write_text("mine")
    assert init("orders.csv", option, "there.yaml") == 2
    assert capfd.readouterr().err == (
        f"init: there.yaml is there already; name another file with {option}\n"
    )
    assert (here / "there.yaml").read_text() == "mine"
    assert sorted(path.name for path in here.iterdir()) == ["orders.csv", "there.yaml"]


def test_not_even_a_link_that_leads_nowhere(here: Path) -> None:
    (here / "orders.yaml").symlink_to(here / "gone")
    assert init("orders.csv") == 2


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["gone.csv"], "nothing matches gone.csv"),
        (["empty.jsonl"], "empty.jsonl has no records, so nothing can be proposed"),
        (["ftp://host/a"], "ftp"),
        (
            ["orders.csv", "--output", "gone/a.yaml"],
            "gone/a.yaml: there is no folder gone; create it",
        ),
        (["orders.csv", "--sample", "0"], "must be a whole number of at least 1"),
        (["orders.csv", "--sample", "100001"], "must be at most 100,000"),
        (["orders.csv", "--csv_delimiter", ";;"], "--csv_delimiter must be one ASCII character"),
        (["orders.csv", "--table", "."], "table must be NAME or SCHEMA.NAME"),
        (["orders.csv", "--sink", "s3://bucket/a"], "s3:// holds objects only"),
        (["orders.csv", "--force"], "unknown option --force"),
        ([], "the following arguments are required: SOURCE"),
        (["table.html"], "cannot tell the format of"),
        (["${env:HOME}.csv"], "SOURCE has a ${…}, which the file would take for a reference"),
        (["broken.jsonl"], "has no record that can be read (1 cannot)"),
    ],
)
def test_a_mistake_is_one_line(
    here: Path, capfd: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    (here / "empty.jsonl").write_text("")
    (here / "table.html").write_text("<html>")
    (here / "broken.jsonl").write_text('{"a": \n')
    assert init(*argv) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert not list(here.glob("*.yaml"))


@pytest.mark.parametrize(
    "argv",
    [
        ["--sink", "postgresql://u:hunter22@h/db"],
        ["--kafka_config", "sasl.password=hunter22"],
        ["--sink", "postgresql://u@h/db?password=hunter22"],
        ["--schema_registry", "https://u:hunter22@h"],
        ["--schema_registry_config", "basic.auth.user.info=u:hunter22"],
    ],
)
def test_a_password_is_not_written_into_a_file(
    here: Path, capfd: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    assert init("orders.csv", *argv) == 2
    printed = capfd.readouterr().err
    assert "write ${env:NAME} in its place" in printed
    assert "hunter22" not in printed
    assert not (here / "orders.yaml").exists()


def test_a_column_that_looks_like_a_reference_is_none(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hunter22")
    (here / "evil.csv").write_text("${env:SECRET},id ${file:/etc/hostname},id\na,b,1\nc,d,2\n")
    file = propose("evil.csv", here)
    assert list(properties(file)) == ["env_secret", "id_file_etc_hostname", "id"]
    assert run(file, here)["inserted"] == 2
    assert {row["env_secret"] for row in rows(file, here)} == {"a", "c"}
    assert "hunter22" not in file.read_text()


def test_a_reference_is(here: Path) -> None:
    sink = "postgresql://u:${env:PW}@h/db"
    assert init("orders.csv", "--sink", sink, "--kafka_config", "sasl.password=${env:PW}") == 0
    said = document(here / "orders.yaml")
    assert (said["sink"], said["kafka_config"]) == (sink, {"sasl.password": "${env:PW}"})


def test_options_that_say_how_to_read_are_kept(here: Path) -> None:
    (here / "o.txt").write_bytes("# x\nid|Größe\n1|NA\n2|3\n".encode("latin-1"))
    argv = ["--format", "csv", "--encoding", "latin-1", "--csv_delimiter", "|", "--csv_skip", "1"]
    file = propose("o.txt", here, *argv, "--csv_null", "NA")
    said = document(file)
    assert said["schema"]["properties"]["Größe"] == {"type": ["integer", "null"]}
    assert {name: said[name] for name in ("format", "encoding", "csv_skip", "csv_null")} == {
        "format": "csv",
        "encoding": "latin-1",
        "csv_skip": 1,
        "csv_null": ["NA"],
    }
    figures = run(file, here)
    assert (figures["inserted"], figures["dead"]) == (2, 0)


def test_a_first_line_of_data_is_no_header(here: Path) -> None:
    (here / "bare.csv").write_text("1,Ann\n2,Bob\n")
    said = document(propose("bare.csv", here))
    assert said["csv_header"] is False
    assert list(said["schema"]["properties"]) == ["column_1", "column_2"]


def test_what_cannot_be_csv_at_all_says_why(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "words.csv").write_text("1\n2 words, and a comma\n3;4\n")
    code = init("words.csv", "--csv_header", "true", "--format", "parquet")
    assert code == 2
    assert "words.csv" in capfd.readouterr().err


def test_several_files_are_one_source(here: Path) -> None:
    (here / "orders-2.csv").write_text("order_id,name\n3,007\n4,8\n")
    file = propose("./orders*.csv", here)
    said = document(file)
    assert (said["source"], said["table"]) == ("./orders*.csv", "orders")
    assert run(file, here)["inserted"] == 4
    assert {row["name"] for row in rows(file, here)} == {"Ann", "Bob", "007", "8"}
