"""Objects in S3: conditions, parts, and errors that mean something."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from clients.s3 import S3Settings
from runners.ports import free_ports
from sinks.objects.config import ObjectConfig
from sinks.objects.s3_store import S3Store
from sinks.objects.store import ObjectChanged, ObjectExists
from tests.io.sinks.objects.store_rules import StoreRules
from transforms.errors import ConfigError, SinkFailed, SinkUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 5 << 20  # S3 takes no smaller parts but the last


@pytest.fixture
def store(s3_endpoint: str, bucket: str) -> S3Store:
    return S3Store(ObjectConfig.of(f"s3://{bucket}/lake", endpoint_url=s3_endpoint))


class TestRules(StoreRules):
    pass


def test_keys_begin_with_the_prefix(store: S3Store, s3: S3Client, bucket: str) -> None:
    store.create("a", b"1")
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["lake/a"]


def test_a_large_object_goes_in_parts_under_the_same_condition(store: S3Store) -> None:
    # moto 5.2 does not look at If-Match where parts are put together, so only If-None-Match is here.
    store = replace(store, part_bytes=PART)
    content = bytes(PART) + b"end"
    etag = store.create("x", content)
    assert etag.endswith("-2"), "S3's mark of an object of two parts"
    assert store.read("x") == (content, etag)
    with pytest.raises(ObjectExists):
        store.create("x", content)


def test_a_failed_upload_leaves_no_parts(store: S3Store, s3: S3Client, bucket: str) -> None:
    store = replace(store, part_bytes=PART)
    store.create("x", b"")
    with pytest.raises(ObjectExists):
        store.create("x", bytes(PART + 1))
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_stream_does_not_mix_two_contents(store: S3Store) -> None:
    etag = store.create("x", b"a" * 10)
    with store.open("x") as stream:
        store.replace("x", b"b" * 10, etag)
        with pytest.raises(ObjectChanged):
            stream.read(1)


def test_a_bucket_that_is_not_there_is_refused_in_one_line(s3_endpoint: str) -> None:
    store = S3Store(ObjectConfig.of("s3://no-such-bucket/lake", endpoint_url=s3_endpoint))
    message = (
        "bucket of s3://no-such-bucket/lake at http.* does not exist; create it for the objects"
    )
    with pytest.raises(SinkFailed, match=message):
        store.create("x", b"1")
    with pytest.raises(ConfigError, match=message):
        store.check()


def test_a_service_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    address = f"http://127.0.0.1:{free_ports(1)[0]}"
    settings = S3Settings(endpoint_url=address, connect_timeout=0.5, max_attempts=1)
    store = S3Store(ObjectConfig.of("s3://lake/raw", settings=settings))
    for call in (lambda: store.create("x", b"1"), lambda: store.head("x")):
        with pytest.raises(SinkUnavailable, match=f"cannot reach s3://lake/raw at {address}: End"):
            call()
