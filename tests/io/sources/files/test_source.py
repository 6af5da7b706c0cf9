from __future__ import annotations

import gzip
import pickle
from pathlib import Path
from typing import Any

import pytest
from mypy_boto3_s3 import S3Client

from clients.s3 import S3Settings
from sources.files.json.options import JsonOptions
from sources.files.plan import SettledObject
from sources.files.source import FilesSource
from sources.storage.s3 import S3Object
from tests.io.sources.reading import MemoryLedger, failures, raws, read_all, read_split
from transforms import metrics
from transforms.batch.expected import ExpectedFields
from transforms.batch.splits import BatchLimits
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
        (folder / "x.dat").touch()
        with pytest.raises(ConfigError, match=r"x\.dat from its name; give --format"):
            FilesSource(f"{folder}/*.dat").check()
        FilesSource(f"{folder}/*.dat", format="jsonl").check()
        FilesSource(f"{folder}/*").check()

    def test_what_is_passed_over_is_nothing_to_read(self, folder: Path) -> None:
        (folder / "_SUCCESS").touch()
        with pytest.raises(ConfigError, match=r"_SUCCESS is passed over \(names that begin"):
            FilesSource(f"{folder}/?SUCCESS").check()
        with pytest.raises(ConfigError, match=r"a\.jsonl is passed over \(excluded"):
            FilesSource(f"{folder}/*.jsonl", exclude=("a.*",)).check()


def test_the_columns_of_the_target_reach_the_header_of_csv(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"first,second\nx,y\n")
    files = FilesSource(f"{tmp_path}/*.csv")
    files.expecting(ExpectedFields(frozenset({"second"}))).check()
    with pytest.raises(ConfigError, match=r"a column that is expected \(id\)"):
        files.expecting(ExpectedFields(frozenset({"id"}))).check()


def test_objects_end_and_nobody_is_told_what_is_settled_of_them() -> None:
    files = FilesSource("/a")
    assert not files.open_ended
    assert files.fixed() == files
    assert files.acknowledger() is None


LINES = b"".join(b'{"n": %d}\n' % n for n in range(1_000))


def read(tmp_path: Path, name: str, data: bytes, **options: Any) -> list[bytes]:
    (tmp_path / name).write_bytes(data)
    batches = read_all(FilesSource(f"{tmp_path}/{name}", **options))
    assert failures(batches) == []
    return raws(batches)


class TestCompression:
    @pytest.mark.parametrize("split_bytes", [64 << 20, 500])
    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("a.jsonl", gzip.compress(LINES, mtime=0)),
            ("a.jsonl", gzip.compress(LINES[:900], mtime=0) + gzip.compress(LINES[900:], mtime=0)),
            ("a.jsonl.bz2", gzip.compress(LINES, mtime=0)),
            ("a.jsonl.gz", LINES),
        ],
    )
    def test_the_first_bytes_decide(
        self, tmp_path: Path, name: str, data: bytes, split_bytes: int
    ) -> None:
        assert read(tmp_path, name, data, split_bytes=split_bytes) == LINES.splitlines()

    def test_the_option_overrides(self, tmp_path: Path) -> None:
        data = gzip.compress(LINES)
        assert read(tmp_path, "a.jsonl", data, compression="gzip") == LINES.splitlines()
        assert read(tmp_path, "b.jsonl.gz", LINES, compression="none") == LINES.splitlines()
        (tmp_path / "c.jsonl").write_bytes(LINES)
        (failure,) = failures(read_all(FilesSource(f"{tmp_path}/c.jsonl", compression="gzip")))
        assert "/c.jsonl is not gzip data but text" in failure.message

    def test_reading_goes_on_in_what_only_its_bytes_say(self, tmp_path: Path) -> None:
        for name, data in (("a.jsonl", gzip.compress(LINES)), ("b.jsonl.gz", LINES)):
            (tmp_path / name).write_bytes(data)
            files = FilesSource(f"{tmp_path}/{name}")
            (split,) = files.splits(MemoryLedger())
            batches = read_split(files, split, at=LINES.index(b'{"n": 700}'))
            assert raws(batches) == LINES.splitlines()[700:]

    @pytest.mark.parametrize("kept", [1, 500])
    def test_a_later_run_goes_on_beyond_the_stored_size(self, tmp_path: Path, kept: int) -> None:
        data = gzip.compress(LINES)
        (tmp_path / "a.jsonl").write_bytes(data)
        files = FilesSource(f"{tmp_path}/a.jsonl", limits=BatchLimits(records=1))
        ledger = MemoryLedger()
        ledger.settle(read_all(files)[:kept])
        assert (LINES.index(b'{"n": 500}') > len(data)) is True
        assert raws(read_all(files, ledger)) == LINES.splitlines()[kept:]
        assert list(files.splits(ledger)) == []

    def test_what_is_not_text_is_one_failure(self, tmp_path: Path) -> None:
        (tmp_path / "a.jsonl").write_bytes(b"PAR1\x15\x04")
        (failure,) = failures(read_all(FilesSource(f"{tmp_path}/a.jsonl")))
        assert (failure.category, "holds Parquet" in failure.message) == ("unknown_format", True)


def test_what_a_glob_does_not_mean_is_passed_over_and_noted(folder: Path) -> None:
    for name in ("_SUCCESS", "logo.png", "_tmp/x.jsonl", "day=1/x.jsonl", "x_$folder$"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"9\n")
    (folder / "loop").symlink_to("loop")
    metrics.reset()
    files = FilesSource(f"{folder}/**", exclude=("b.*",))
    assert raws(read_all(files)) == [b"1", b"2", b"4", b"9"]
    tally = metrics.tally()
    assert (tally["objects_passed_over"], tally["objects_unavailable"]) == (5, 1)
    metrics.reset()


@pytest.mark.integration
@pytest.mark.parametrize("layout", ["lines", "auto"])
def test_planning_reads_no_more_of_an_object_than_it_looks_at(
    s3: S3Client,
    s3_settings: S3Settings,
    bucket: str,
    layout: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s3.put_object(Bucket=bucket, Key="a.json", Body=b'{"id": 1}\n' * 400_000)
    lengths: list[int] = []
    get = S3Object.read_at

    def counted(self: S3Object, offset: int, length: int) -> bytes:
        lengths.append(length)
        return get(self, offset, length)

    monkeypatch.setattr(S3Object, "read_at", counted)
    files = FilesSource(
        f"s3://{bucket}/*.json",
        s3=s3_settings,
        split_bytes=1 << 20,
        json=JsonOptions(layout=layout),
    )
    assert len(list(files.splits(MemoryLedger()))) == 4
    assert lengths == [64 << 10]
