"""URIs of objects as a sink."""

from __future__ import annotations

import pickle

import pytest

from clients.s3 import S3Settings
from sinks.objects.config import ObjectConfig
from transforms.errors import ConfigError


def test_a_bucket_and_what_is_written_there() -> None:
    uri = "s3://lake/raw/events/?format=jsonl.gz&partition=day,type"
    config = ObjectConfig.of(uri, "orders", endpoint_url="http://localhost:9000")
    assert config.url == "s3://lake/raw/events"
    assert (config.bucket, config.prefix, config.folder) == ("lake", "raw/events/", None)
    assert (config.format, config.partition) == ("jsonl.gz", "day,type")
    assert config.label == "s3://lake/raw/events/orders"
    assert config.settings == S3Settings(endpoint_url="http://localhost:9000")
    assert pickle.loads(pickle.dumps(config)) == config


def test_a_folder_is_decoded_and_has_one_spelling() -> None:
    config = ObjectConfig.of("file:///data/./a%20b//c/?partition=hour")
    assert config.folder == "/data/a b/c"
    assert config.url == config.label == "file:///data/a%20b/c"
    assert config == ObjectConfig.of("file://localhost/data/a%20b/c?partition=hour")


def test_parquet_is_the_default_and_the_whole_bucket_a_place() -> None:
    config = ObjectConfig.of("s3://lake")
    assert (config.format, config.partition) == ("parquet", "")
    assert (config.url, config.prefix) == ("s3://lake", "")


def test_the_time_of_a_field_names_folders_of_a_whole_bucket_too() -> None:
    assert ObjectConfig.of("s3://lake?partition=day:created_at").partition == "day:created_at"


def test_a_dataset_is_one_folder() -> None:
    config = ObjectConfig.of("s3://lake/raw")
    assert config.of_dataset("a.b").label == "s3://lake/raw/a.b"
    for name in ("_manifest", "a/b", "..", "a b", "${x}"):
        with pytest.raises(ConfigError, match="is not a folder of objects"):
            config.of_dataset(name)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("lake/raw", "the scheme of this URI is missing"),
        ("gs://lake/raw", "the scheme of this URI is gs"),
        ("s3://", "names no bucket"),
        ("s3://lake/*.parquet", r"it has \*"),
        ("s3://lake/a//b", "empty part"),
        ("s3://lake/../b", "empty part"),
        ("file://host/data", "not a folder of this machine"),
        ("file:///", "not a folder for objects"),
        ("s3://lake/raw?formt=parquet", "unknown parameter 'formt'; there are format"),
        ("s3://lake/raw?format=csv", "format must be parquet or jsonl.gz, got 'csv'"),
        ("s3://lake/raw?format=parquet&format=parquet", "parameter format twice"),
        ("s3://lake/raw?format", "cannot be read"),
        ("s3://lake/raw?partition=", "distinct names"),
        ("s3://lake/raw?partition=day,,type", "distinct names"),
        ("s3://lake/raw?partition=day,day", "distinct names"),
        (f"s3://lake/{'a' * 200}", "200 characters at most"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(uri: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ObjectConfig.of(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://KEY:hunter2@lake/raw",
        "s3://lake/raw?password=hunter2",
        "s3://KEY:hunt?er2@lake/hunter2",
        "file://me:hunter2@localhost/data",
    ],
)
def test_a_secret_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(ConfigError, match="takes no user, password or key") as refusal:
        ObjectConfig.of(uri)
    assert "hunter2" not in str(refusal.value)
