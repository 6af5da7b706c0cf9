"""A mistake in one part of a file hides none of another, and nothing is contacted."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.pipeline_file.loading import load
from pipelines.pipeline_file.validating import errors_in, errors_of

EVERYWHERE = """\
source: [{uri: ./a.csv, csv_delimiter: abc}, "redis://h/1"]
sink: sqlite:///x.db
table: t
step: ./no.py:f
schema: no.json
map: [{renme: {a: b}}]
routes: {routes: [{tabel: x}]}
max_dead: many
on_conflict: replace
retain: {completed: soon}
kafka_config: {group.id: x}
runner_options: {parallelsm: 1}
"""


def test_each_part_has_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text(EVERYWHERE)
    lines = [str(error).split(":")[1] for error in errors_of("p.yaml")]
    assert sorted(set(map(int, lines))) == [1, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert lines.count("1") == 2


def test_nobody_is_contacted(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "source: kafka://127.0.0.1:9/t\nsink: postgresql://u@127.0.0.1:9/d\ntable: t\nstreaming: true\n"
    )
    assert errors_of(str(path)) == []
    assert errors_in(load(str(path))) == []
    assert [path.name for path in tmp_path.iterdir()] == ["p.yaml"]


def test_a_cluster_has_the_secrets_of_a_mapping_itself(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "source: s3://b/*.csv\nsink: postgresql://u@h/d\ntable: t\n"
        "map: [{hash: {a: {hmac: '${env:NO_SUCH_VARIABLE}'}}}]\n"
    )
    (error,) = errors_of(str(path))
    assert "NO_SUCH_VARIABLE" in str(error)
    assert str(error).startswith(f"{path}:4:1: ")
    assert errors_of(str(path), settings=["runner=FlinkRunner"]) == []


def test_a_mistake_in_the_files_of_a_mapping_and_of_routes_is_told_there(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("- renme: {a: b}\n- drp: [a]\n")
    (tmp_path / "r.yaml").write_text("routes:\n- tabel: x\n- table: t\n  kye: a\n")
    path = tmp_path / "p.yaml"
    path.write_text(
        "pipeline: p\nsource: a.csv\nsink: sqlite:///x.db\nmap: m.yaml\nroutes: r.yaml\n"
    )
    places = [str(error).partition(": ")[0] for error in errors_of(str(path))]
    assert places == [
        *(f"{tmp_path}/m.yaml:1:3", f"{tmp_path}/m.yaml:2:3"),
        *(f"{tmp_path}/r.yaml:2:3", f"{tmp_path}/r.yaml:4:3"),
    ]
