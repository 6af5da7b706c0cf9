from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipelines.planning.sample import Bounds
from pipelines.proposal.sampling.sample import taken
from sources.files.source import FilesSource
from transforms.errors import ConfigError


def test_the_records_of_a_large_batch_beyond_the_bound_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n' * 100)
    result = taken(FilesSource(str(path), walk=True), Bounds(records=30))
    assert (result.survey.records, result.whole) == (30, False)


def test_it_says_whether_that_was_all_and_what_was_detected(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id;b\n1;2\n3;4\n")
    (tmp_path / "b.csv").write_text("id;b\n5;6\n")
    result = taken(FilesSource(f"{tmp_path}/*.csv", walk=True), Bounds())
    assert (result.survey.records, result.whole) == (3, True)
    assert result.detected == ["';', 2 columns"]
    assert result.format is not None
    assert (result.format.name, result.format.columns) == ("csv", ("id", "b"))


def test_records_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": \n[1]\n')
    result = taken(FilesSource(str(path), walk=True, json=_lines()), Bounds())
    assert result.survey.records == 1
    assert result.refused == {"malformed": 1, "not_object": 1}
    assert result.example is not None
    assert result.example.origin.offset == 9


def _lines() -> Any:
    from sources.files.json.options import JsonOptions

    return JsonOptions.of(layout="lines", path="")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no records, so nothing can be proposed"),
        ("\n\n", "has no records, so nothing can be proposed"),
        ("{x\n{y\n", r"has no record that can be read \(2 cannot\)"),
    ],
)
def test_nothing_is_proposed_of_nothing(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        taken(FilesSource(str(path), walk=True), Bounds())


def test_it_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n" * 100)
    ticks = count()
    with pytest.raises(ConfigError, match="has no records within 2 s, so nothing can be proposed"):
        taken(FilesSource(str(path)), Bounds(seconds=2), clock=lambda: next(ticks) * 3.0)


def test_a_file_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing matches"):
        taken(FilesSource(f"{tmp_path}/gone.csv"), Bounds())
