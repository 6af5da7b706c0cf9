"""Names of S3 objects and globs of them, without a service."""

from __future__ import annotations

import pytest

from sources.storage.s3_names import bucket_and_key, matches
from transforms.errors import ConfigError


@pytest.mark.parametrize(
    ("glob", "matching"),
    [
        ("s3://b/e/*.jsonl", ["s3://b/e/a.jsonl"]),
        ("s3://b/**", ["s3://b/e/a.jsonl", "s3://b/e/f/a.jsonl"]),
        ("s3://b/e/[x", ["s3://b/e/[x"]),
        ("s3://c/e/a.jsonl", ["s3://c/e/a.jsonl"]),
    ],
)
def test_a_glob_stands_for_keys_of_its_bucket(glob: str, matching: list[str]) -> None:
    uris = {*matching, "s3://b/e/a.jsonl", "s3://b/e/f/a.jsonl", "file:///b/e/a.jsonl"}
    assert sorted(uri for uri in uris if matches(glob, uri)) == matching


@pytest.mark.parametrize("uri", ["s3://", "s3://bucket", "s3://bucket/", "s3:///key", "s3://b*/k"])
def test_uri_without_bucket_or_key_says_what_to_write(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"s3://"):
        bucket_and_key(uri)
