"""A file becomes the options of an ingest, and its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.ingestion.options import from_argv
from pipelines.pipeline_file.loading import load
from sources.files.source import FilesSource
from transforms.errors import ConfigError

FILE = """\
pipeline: orders
source: ./orders.csv
sink: sqlite:///orders.db
table: orders
key: [id]
max-attempts: 3
map:
  - rename: {Order ID: id}
runner_options: {streaming: false, runtime_type_check: true, experiments: [a, b]}
"""


def written(folder: Path, text: str = FILE, name: str = "orders.yaml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_file_and_the_same_flags_are_the_same_pipeline(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("- rename: {Order ID: id}\n")
    of_file, _ = load(written(tmp_path)).configs()
    of_flags, _ = from_argv(
        [
            *("--pipeline", "orders", "--source", f"{tmp_path}/orders.csv"),
            *("--sink", f"sqlite:///{tmp_path}/orders.db", "--table", "orders", "--key", "id"),
            *("--max_attempts", "3", "--map", f"{tmp_path}/m.yaml"),
        ]
    )
    for name in ("sources", "sql", "parse", "mapping", "retry", "pipeline", "budget", "write"):
        assert getattr(of_file, name) == getattr(of_flags, name), name


def test_options_of_beam_are_flags(tmp_path: Path) -> None:
    file = load(written(tmp_path))
    assert file.runner_flags == ("--runtime_type_check", "--experiments=a", "--experiments=b")


def test_the_process_wins_over_settings_and_these_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, f"{FILE}log_level: error\n")
    file = load(path, None, ["log_level=warning", "max_attempts=4"], {"log_level": "debug"})
    assert (file.flags.log_level, file.flags.max_attempts) == ("debug", 4)


def test_a_run_notes_the_version_of_the_file(tmp_path: Path) -> None:
    _, run = load(written(tmp_path)).configs()
    assert run.options["file"]["path"] == f"{tmp_path}/orders.yaml"
    assert len(run.options["file"]["hash"]) == 64
    assert run.options["map"] == "in the pipeline file"


def test_every_problem_is_kept_and_the_first_refuses_the_file(tmp_path: Path) -> None:
    file = load(written(tmp_path, f"{FILE}tabel: x\nmax_rate: 0\n"))
    assert [str(error).partition(": ")[0] for error in file.problems] == [
        f"{tmp_path}/orders.yaml:10:1",
        f"{tmp_path}/orders.yaml:11:11",
    ]
    assert file.failed == {"max_rate"}
    with pytest.raises(ConfigError, match="there is no option tabel; is table meant"):
        file.configs()


def test_what_options_say_together_is_refused_at_the_place_of_one(tmp_path: Path) -> None:
    file = load(written(tmp_path, f"{FILE}state: sqlite:///s.db\n"))
    assert file.problems == ()
    with pytest.raises(ConfigError, match=r"orders\.yaml:10:1: state is for a sink of objects"):
        file.configs()


def test_one_source_has_options_of_its_own(tmp_path: Path) -> None:
    text = FILE.replace("./orders.csv", "[{uri: a.csv, csv_delimiter: ;}, b.csv]")
    config, run = load(written(tmp_path, text)).configs()
    first, second = config.sources
    assert isinstance(first, FilesSource)
    assert isinstance(second, FilesSource)
    assert (first.csv.delimiter, second.csv.delimiter) == (";", None)
    assert run.options["alone"] == {f"{tmp_path}/a.csv": {"csv_delimiter": ";"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runner_options: [a]", "runner_options is a mapping of Beam's options"),
        ("runner_options: {a: {b: 1}}", "runner_options.a takes one value, got a mapping"),
        ("schema: [a]", "schema is the path of a file, or a mapping, got a list"),
        ("step: {label: x}", "a step has a function"),
    ],
)
def test_a_wrong_shape_is_a_problem(tmp_path: Path, text: str, message: str) -> None:
    (error,) = load(written(tmp_path, text)).problems
    assert message in str(error)
