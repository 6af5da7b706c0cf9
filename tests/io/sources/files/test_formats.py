from __future__ import annotations

import pytest

from sources.files.formats import Storing, check_format, storing_of
from transforms.errors import ConfigError, ObjectFailed


@pytest.mark.parametrize(
    ("name", "storing"),
    [
        ("a.json", Storing("jsonl")),
        ("a.jsonl", Storing("jsonl")),
        ("a.b.ndjson.GZ", Storing("jsonl", "gzip")),
        ("a.csv.zst", Storing("csv", "zstd")),
        ("a.tsv.bz2", Storing("csv", "bz2", "\t")),
        ("a.parquet", Storing("parquet")),
    ],
)
def test_extensions_say_how_an_object_is_stored(name: str, storing: Storing) -> None:
    assert storing_of(f"s3://bucket.csv/x.gz/{name}") == storing


@pytest.mark.parametrize("name", ["a", "json", "a.txt", "a.gz", "a.txt.gz", ".gz", "a."])
def test_a_name_that_says_nothing_asks_for_format(name: str) -> None:
    with pytest.raises(ObjectFailed, match="give --format"):
        storing_of(f"file:///x.csv/{name}")


def test_format_given_leaves_the_compression_to_the_name() -> None:
    assert storing_of("s3://b/a.txt.gz", "jsonl") == Storing("jsonl", "gzip")
    assert storing_of("s3://b/a.tsv", "csv") == Storing("csv", "", "\t")
    assert storing_of("s3://b/a", "parquet") == Storing("parquet")


def test_only_plain_lines_are_divisible() -> None:
    divisible = [
        storing_of(f"/{name}").divisible for name in ("a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet")
    ]
    assert divisible == [True, False, False, False]


def test_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'xml'.*auto, jsonl, csv, parquet"):
        check_format("xml")
