from __future__ import annotations

import pytest

from sources.files.formats import (
    LOOK,
    StoredFormat,
    check_compression,
    check_format,
    stored_format_of,
)
from transforms.errors import ConfigError, ObjectFailed


@pytest.mark.parametrize(
    ("name", "stored_format"),
    [
        ("a.json", StoredFormat("jsonl")),
        ("a.jsonl", StoredFormat("jsonl", lines_by_name=True)),
        ("a.b.ndjson.GZ", StoredFormat("jsonl", "gzip", lines_by_name=True)),
        ("a.csv.zst", StoredFormat("csv", "zstd")),
        ("a.tsv.bz2", StoredFormat("csv", "bz2", "\t")),
        ("a.parquet", StoredFormat("parquet")),
        ("a.pq", StoredFormat("parquet")),
        ("a.parq", StoredFormat("parquet")),
        ("a.avro", StoredFormat("avro")),
        ("a.tab", StoredFormat("csv", "", "\t")),
        ("a.psv.xz", StoredFormat("csv", "xz", "|")),
        ("a.jsonl.lz4", StoredFormat("jsonl", "lz4", lines_by_name=True)),
        ("a.jsonl.snappy", StoredFormat("jsonl", "snappy", lines_by_name=True)),
        ("a.jsonl.1", StoredFormat("jsonl", lines_by_name=True)),
        ("a.csv.2026-11-25.gz", StoredFormat("csv", "gzip")),
        ("a", StoredFormat(LOOK)),
        ("json", StoredFormat(LOOK)),
        ("a.txt", StoredFormat(LOOK)),
        ("a.log.gz", StoredFormat(LOOK, "gzip")),
        (".gz", StoredFormat(LOOK, "gzip")),
    ],
)
def test_extensions_say_how_an_object_is_stored(name: str, stored_format: StoredFormat) -> None:
    assert stored_format_of(f"s3://bucket.csv/x.gz/{name}") == stored_format


@pytest.mark.parametrize("name", ["a.png", "a.avsc", "a.xml.gz", "a.jsonl.tmp"])
def test_a_name_that_says_nothing_asks_for_format(name: str) -> None:
    with pytest.raises(ObjectFailed, match="give --format"):
        stored_format_of(f"file:///x.csv/{name}")


def test_format_given_leaves_the_compression_to_the_name() -> None:
    assert stored_format_of("s3://b/a.txt.gz", "jsonl") == StoredFormat("jsonl", "gzip")
    assert stored_format_of("s3://b/a.tsv", "csv") == StoredFormat("csv", "", "\t")
    assert stored_format_of("s3://b/a", "parquet") == StoredFormat("parquet")


def test_only_plain_lines_are_divisible() -> None:
    divisible = [
        stored_format_of(f"/{name}").divisible
        for name in ("a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet", "a.avro", "a")
    ]
    assert divisible == [True, False, False, False, False, False]


def test_compression_given_leaves_nothing_to_the_name() -> None:
    assert stored_format_of("/a.jsonl", compression="gzip") == StoredFormat(
        "jsonl", "gzip", certain=True, lines_by_name=True
    )
    plain = stored_format_of("/a.jsonl.gz", compression="none")
    assert plain == StoredFormat("jsonl", certain=True, lines_by_name=True)
    assert plain.divisible


def test_unknown_compression_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'zip'.*none, gzip, zstd"):
        check_compression("zip")


def test_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'xml'.*auto, jsonl, csv, parquet"):
        check_format("xml")
