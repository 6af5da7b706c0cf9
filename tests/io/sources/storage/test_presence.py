"""Whether files are still there, as far as their names tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client

from sources.storage.local import LocalStorage
from sources.storage.presence import presence
from transforms.errors import ConfigError


def test_a_file_is_there_or_gone(tmp_path: Path) -> None:
    (tmp_path / "a b.jsonl").write_text("{}")
    (stored,) = LocalStorage().list(f"{tmp_path}/*.jsonl")
    there = presence(f"{tmp_path}/*.jsonl")
    assert there(stored.uri)
    assert not there(stored.uri.replace("a%20b", "c"))


def test_a_link_to_nothing_is_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert presence(f"{tmp_path}/*")(f"file://{tmp_path}/link")


def test_a_folder_that_is_not_on_this_machine_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--no_look"):
        presence(f"{tmp_path}/unmounted/*.jsonl")


@pytest.mark.integration
def test_objects_are_listed_once(s3: S3Client, s3_endpoint: str, bucket: str) -> None:
    for key in ("in/a.jsonl", "in/_hidden.jsonl", "other/b.jsonl"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
    there = presence(f"s3://{bucket}/in/*", s3_endpoint)
    names = ("in/a.jsonl", "in/_hidden.jsonl", "in/gone.jsonl")
    assert [there(f"s3://{bucket}/{key}") for key in names] == [True, True, False]
