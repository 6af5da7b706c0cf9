from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from sinks.objects.compaction import json_lines


def written(path: Path, *members: bytes) -> Path:
    path.write_bytes(b"".join(map(gzip.compress, members)))
    return path


def opened(*paths: Path) -> Iterator[BinaryIO]:
    for path in paths:
        with path.open("rb") as file:
            yield file


def test_all_lines_are_copied_in_order(tmp_path: Path) -> None:
    one, other = written(tmp_path / "a", b"1\n2\n", b"3\n"), written(tmp_path / "b", b"4\n")
    assert json_lines.merge(opened(one, other), tmp_path / "m") == 4
    assert gzip.decompress((tmp_path / "m").read_bytes()) == b"1\n2\n3\n4\n"


def test_the_outcome_is_one_member(tmp_path: Path) -> None:
    source = written(tmp_path / "a", b"1\n", b"2\n")
    json_lines.merge(opened(source, source), tmp_path / "m")
    assert (tmp_path / "m").read_bytes().count(b"\x1f\x8b\x08") == 1


def test_a_last_line_without_its_end_stays_a_line(tmp_path: Path) -> None:
    one, other = written(tmp_path / "a", b"1"), written(tmp_path / "b", b"2\n")
    assert json_lines.merge(opened(one, other), tmp_path / "m") == 2
    assert gzip.decompress((tmp_path / "m").read_bytes()) == b"1\n2\n"


def test_an_object_that_ends_too_soon_is_refused(tmp_path: Path) -> None:
    source = written(tmp_path / "a", b"1\n")
    source.write_bytes(source.read_bytes()[:-4])
    with pytest.raises(EOFError):
        json_lines.merge(opened(source), tmp_path / "m")
