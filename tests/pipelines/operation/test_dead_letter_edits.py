"""Edits on the command line."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from sinks.database import leases
from sinks.database.engine import dispose_engines
from sinks.table.config import SqlConfig
from tests.io.sinks.jobs.stored_jobs import prepared, store, stored, trail
from tests.io.sinks.tested_database import Database
from tests.pipelines.commands import dead_letters

RAW = b'{"id": 1, "age": "x"}'


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    yield Database("sqlite", f"sqlite:///{tmp_path}/a.db")
    leases.release_all()
    dispose_engines()


@pytest.fixture
def config(sqlite_database: Database) -> SqlConfig:
    """A database with one dead letter."""
    config = prepared(sqlite_database)
    store(config, {"raw": RAW})
    return config


def edit(config: SqlConfig, file: Path | str, *more: str) -> int:
    argv = ["edit", "--sink", config.database.url, "--id", "1", "--file", str(file)]
    return dead_letters(*argv, "--reason", "a typo", "--by", "ann", *more)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_record_is_what_the_file_has(
    config: SqlConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str], end: bytes
) -> None:
    (tmp_path / "a").write_bytes(b'{"id": 1, "age": 7}' + end)
    assert edit(config, tmp_path / "a", "--replay", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"job": 1, "edit": 1, "fields": ["age"], "problem": None, "replayed": True}
    ]
    assert stored(config, "raw", "state") == [(b'{"id": 1, "age": 7}', "available")]
    assert trail(config) == [("edit", 1), ("replay", 1)]
    assert dead_letters("show", "--sink", config.database.url, "--id", "1") == 0
    shown = capsys.readouterr().out
    assert "by ann (age; 21 bytes before): a typo" in " ".join(shown.split())


def test_it_comes_from_standard_input_and_may_be_no_json(
    config: SqlConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[red]")))
    assert edit(config, "-") == 0
    out = capsys.readouterr().out
    assert "job 1 is edited (bytes); what it was before is kept" in out
    assert "it cannot be parsed even now" in out
    assert stored(config, "raw", "state") == [(b"[red]", "discarded")]


def test_what_is_refused_is_one_line(
    config: SqlConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_bytes(b"{}")
    (tmp_path / "same").write_bytes(RAW)
    for file, more, line in (
        ("a", ("--expect", "0" * 64), "somebody has changed the record meanwhile"),
        ("a", ("--max_record_bytes", "1"), "would have 2 bytes, limit 1"),
        ("gone", (), "cannot be read: No such file"),
        ("same", (), "nothing is changed"),
    ):
        capsys.readouterr()
        assert edit(config, tmp_path / file, *more) == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert line in said
    assert stored(config, "raw") == [RAW]
    digest = sha256(RAW).hexdigest()
    assert edit(config, tmp_path / "a", "--expect", digest) == 0


def test_a_number_that_no_job_has_is_said_to_have_none(
    config: SqlConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_bytes(b"{}")
    argv = ["edit", "--sink", config.database.url, "--file", str(tmp_path / "a"), "--id", "7"]
    assert dead_letters(*argv, "--reason", "a typo") == 2
    assert "there is no dead letter 7" in capsys.readouterr().err
    assert dead_letters(*argv) == 2
    assert "--reason" in capsys.readouterr().err
