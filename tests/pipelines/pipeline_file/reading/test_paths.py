"""Relative paths of a file begin at its folder."""

from __future__ import annotations

import pytest

from pipelines.pipeline_file.reading.paths import rebased
from transforms.mapping.reading.document import Part, parsed


def seen(text: str, folder: str = "conf") -> object:
    return rebased(parsed(text, "conf/p.yaml"), folder).plain


@pytest.mark.parametrize(
    ("option", "text", "there"),
    [
        ("source", "./in/*.jsonl", "conf/in/*.jsonl"),
        ("source", "/in/a.jsonl", "/in/a.jsonl"),
        ("source", "~/a.jsonl", "~/a.jsonl"),
        ("source", "s3://b/a", "s3://b/a"),
        ("map", "m.yaml", "conf/m.yaml"),
        ("schema", "../s.json", "conf/../s.json"),
        ("schema", "registry:orders-value", "registry:orders-value"),
        ("summary_json", "out.json", "conf/out.json"),
        ("sink", "sqlite:///a.db", "sqlite:///conf/a.db"),
        ("sink", "sqlite:///./a.db?x=1", "sqlite:///conf/a.db?x=1"),
        ("sink", "sqlite:////abs/a.db", "sqlite:////abs/a.db"),
        ("sink", "sqlite:///:memory:", "sqlite:///:memory:"),
        ("sink", "duckdb:///a.duckdb", "duckdb:///conf/a.duckdb"),
        ("sink", "postgresql:///db", "postgresql:///db"),
        ("state", "sqlite:///a.db", "sqlite:///conf/a.db"),
        ("dead_letters", "dead", "conf/dead"),
        ("dead_letters", "kafka://h/t", "kafka://h/t"),
        ("step", "./s.py:f?batch=2", "conf/s.py:f?batch=2"),
        ("step", "package.module:f", "package.module:f"),
        ("exclude", "*.tmp", "*.tmp"),
        ("exclude", "**/tmp/*", "**/tmp/*"),
        ("exclude", "./in/tmp/**", "conf/in/tmp/**"),
        ("table", "a/b", "a/b"),
    ],
)
def test_what_names_a_file_does_so_from_the_files_folder(
    option: str, text: str, there: str
) -> None:
    assert seen(f"{option}: '{text}'") == {option: there}
    assert seen(f"{option}: '{text}'", "") == {option: text}


def test_paths_within_mappings_are_rebased_too() -> None:
    text = """
source: [{uri: ./a.csv, exclude: [./b/*.csv], csv_null: [./x]}, c.csv]
step: [{function: "./s.py:f", label: ./x}]
routes: {routes: [{table: t, map: m.yaml, schema: s.json}], default: {table: d, map: [{drop: [a]}]}}
map: [{constant: {path: ./x}}]
"""
    assert seen(text) == {
        "source": [
            {"uri": "conf/a.csv", "exclude": ["conf/b/*.csv"], "csv_null": ["./x"]},
            "conf/c.csv",
        ],
        "step": [{"function": "conf/s.py:f", "label": "./x"}],
        "routes": {
            "routes": [{"table": "t", "map": "conf/m.yaml", "schema": "conf/s.json"}],
            "default": {"table": "d", "map": [{"drop": ["a"]}]},
        },
        "map": [{"constant": {"path": "./x"}}],
    }


def test_a_folder_with_signs_of_a_glob_is_no_glob() -> None:
    assert seen("source: a.csv", "in[1]") == {"source": "in[[]1]/a.csv"}


def test_a_setting_is_of_the_current_folder() -> None:
    part = Part("a.csv", "a.csv", "--set source")
    whole = rebased(Part({"source": part}, "", "p.yaml:1:1"), "conf")
    assert whole.plain == {"source": "a.csv"}


def test_a_reference_that_begins_a_path_may_be_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_FOLDER", "/data")
    assert seen("sink: sqlite:///${env:DATA_FOLDER}/a.db") == {
        "sink": "sqlite:///${env:DATA_FOLDER}/a.db"
    }
    monkeypatch.setenv("DATA_FOLDER", "data")
    assert seen("sink: sqlite:///${env:DATA_FOLDER}/a.db") == {
        "sink": "sqlite:///conf/${env:DATA_FOLDER}/a.db"
    }
