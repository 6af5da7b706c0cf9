"""Each object gets the reader that suits its format and its state."""

from __future__ import annotations

from pathlib import Path

import pytest

from sources.files.avro.reader import AvroReader
from sources.files.failures import FailedReader
from sources.files.look import LookingReader
from sources.files.parquet.reader import ParquetReader
from sources.files.source import FilesSource
from sources.files.text import TextReader
from transforms.batch.splits import Split


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("a.jsonl", TextReader),
        ("a.csv.gz", TextReader),
        ("a.parquet", ParquetReader),
        ("a.avro", AvroReader),
        ("a.txt", LookingReader),
        ("a.docx", FailedReader),
    ],
)
def test_the_name_says_which_reader_it_is(tmp_path: Path, name: str, reader: type) -> None:
    source = FilesSource(str(tmp_path / "*"))
    opened = source._opening.open(Split(source.uri, f"file://{tmp_path}/{name}", "v", 3))
    assert type(opened) is reader
    opened.close()


def test_a_record_is_kept_whole_up_to_64_kib_whatever_the_limit_is(tmp_path: Path) -> None:
    small = FilesSource(str(tmp_path / "*"), max_record_bytes=10)
    large = FilesSource(str(tmp_path / "*"), max_record_bytes=1 << 20)
    assert small._opening.max_kept_bytes == 64 << 10
    assert large._opening.max_kept_bytes == 1 << 20
