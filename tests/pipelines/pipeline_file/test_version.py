"""The version of a file: what it says, and the commit that it is of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipelines.pipeline_file.version import commit_of, version_of
from transforms.mapping.reading.document import parsed


def hash_of(text: str, name: str = "p.yaml") -> str:
    return version_of(name, None, parsed(text, name, as_json=name.endswith(".json"))).hash


def test_the_hash_is_of_what_the_file_says() -> None:
    same = {
        hash_of("a: 1\nb: [x]"),
        hash_of("# a comment\nb: ['x']\na: 1"),
        hash_of('{"a": 1, "b": ["x"]}', "p.json"),
    }
    assert len(same) == 1
    assert hash_of("a: 2\nb: [x]") not in same
    assert hash_of("a: 1.50\nb: [x]") != hash_of("a: 1\nb: [x]")


def test_a_reference_counts_as_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    before = hash_of("a: ${env:SOME_NAME}")
    monkeypatch.setenv("SOME_NAME", "x")
    assert hash_of("a: ${env:SOME_NAME}") == before


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_the_commit_is_that_of_the_repository_and_marked_where_the_file_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "conf"
    folder.mkdir()
    path, other = folder / "p.yaml", folder / "p.prod.yaml"
    path.write_text("a: 1\n")
    git(tmp_path, "init", "--quiet")
    assert commit_of([str(path)]) == ""  # no commit yet
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "x")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit_of([str(path)]) == head
    other.write_text("a: 2\n")
    assert commit_of([str(path)]) == head
    assert commit_of([str(path), str(other)]) == f"{head}+dirty"
    path.write_text("a: 3\n")
    assert commit_of([str(path)]) == f"{head}+dirty"
    monkeypatch.chdir(folder)
    assert version_of("p.yaml", "prod", parsed("a: 3", "p.yaml")).as_options() == {
        "path": "p.yaml",
        "hash": hash_of("a: 3"),
        "commit": f"{head}+dirty",
        "env": "prod",
    }


def test_outside_of_a_repository_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.yaml").write_text("a: 1\n")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_of([f"{tmp_path}/p.yaml"]) == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of([f"{tmp_path}/p.yaml"]) == ""
