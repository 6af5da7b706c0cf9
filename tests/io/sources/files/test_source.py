from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import pytest

from sources.files.plan import SettledObject
from sources.files.source import FilesSource
from tests.io.sources.reading import MemoryLedger, raws, read_all
from transforms import metrics
from transforms.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n")
    (tmp_path / "b.csv").write_bytes(b"n\n3\n")
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b"4\n"))
    return tmp_path


def test_formats_mix_under_one_glob(folder: Path) -> None:
    assert raws(read_all(FilesSource(f"{folder}/*"))) == [b"1", b"2", b"3", b"4"]


def test_settled_objects_are_skipped_and_counted(folder: Path) -> None:
    ledger = MemoryLedger()
    files = FilesSource(f"{folder}/*")
    read_all(files, ledger)
    (folder / "d.jsonl").write_bytes(b"5\n")
    metrics.reset()
    assert raws(read_all(files, ledger)) == [b"5"]
    assert metrics.tally()["splits_skipped"] == 3
    assert metrics.tally()["bytes_skipped"] == sum(
        (folder / name).stat().st_size for name in ("a.jsonl", "b.csv", "c.jsonl.gz")
    )
    metrics.reset()
    assert all(isinstance(each, SettledObject) for each in files.plan(ledger))


def test_splits_name_the_source_that_opens_them(folder: Path) -> None:
    files = FilesSource(f"{folder}/*.jsonl")
    (split,) = files.splits(MemoryLedger())
    assert (split.source, split.name) == (files.uri, (folder / "a.jsonl").as_uri())
    assert files.owns(split.name)
    assert not files.owns((folder / "b.csv").as_uri())


def test_source_is_hashable_and_survives_pickling(folder: Path) -> None:
    files = FilesSource(f"{folder}/*")
    assert pickle.loads(pickle.dumps(files)) == files
    assert hash(files)


class TestCheck:
    def test_something_matches(self, folder: Path) -> None:
        FilesSource(f"{folder}/*").check()

    @pytest.mark.parametrize("name", ["*.parquet", "none.jsonl", "none/*.jsonl"])
    def test_nothing_matches(self, folder: Path, name: str) -> None:
        with pytest.raises(ConfigError, match="nothing matches"):
            FilesSource(f"{folder}/{name}").check()

    def test_nothing_yet_is_right_while_watching(self, folder: Path) -> None:
        FilesSource(f"{folder}/*.parquet", watch=True).check()

    def test_folder(self, folder: Path) -> None:
        with pytest.raises(ConfigError, match="is a directory; add a glob"):
            FilesSource(str(folder)).check()

    def test_unknown_extension(self, folder: Path) -> None:
        (folder / "x.txt").touch()
        with pytest.raises(ConfigError, match=r"x\.txt from its name; give --format"):
            FilesSource(f"{folder}/*").check()
        FilesSource(f"{folder}/*.txt", format="jsonl").check()


def test_the_columns_of_the_target_reach_the_header_of_csv(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"first,second\nx,y\n")
    files = FilesSource(f"{tmp_path}/*.csv")
    files.expecting(frozenset({"second"})).check()
    with pytest.raises(ConfigError, match=r"a column that is expected \(id\)"):
        files.expecting(frozenset({"id"})).check()


def test_objects_end_and_nobody_is_told_what_is_settled_of_them() -> None:
    files = FilesSource("/a")
    assert not files.open_ended
    assert files.fixed() == files
    assert files.acknowledger() is None
