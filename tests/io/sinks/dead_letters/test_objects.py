from __future__ import annotations

import json
import pickle
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_s3 import S3Client

from clients.s3 import S3Settings, client
from runners.ports import free_ports
from sinks.dead_letters.json_lines import CHUNK_BYTES
from sinks.dead_letters.objects import DeadLetterObjects, key_of
from tests.io.sinks.dead_letters.dead_letter import failure
from transforms.errors import ConfigError, SinkFailed, SinkUnavailable

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(s3_endpoint: str) -> S3Settings:
    return S3Settings(endpoint_url=s3_endpoint, max_attempts=1)


def stored(s3: S3Client, bucket: str) -> dict[str, list[dict[str, Any]]]:
    """By key, the dead letters in it."""
    letters = {}
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
        body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        assert body.endswith(b"\n")
        letters[entry["Key"]] = [json.loads(line) for line in body.splitlines()]
    return letters


class TestDelivery:
    def test_each_is_one_object_and_they_sort_by_time(
        self, s3: S3Client, bucket: str, settings: S3Settings
    ) -> None:
        sink = DeadLetterObjects(bucket, "dead/letters", settings)
        sink.check()
        sink.deliver("orders", [failure(offset=1), failure(offset=2, raw=b"\xff")])
        pickle.loads(pickle.dumps(sink)).deliver("orders", [failure(offset=3)])
        objects = stored(s3, bucket)
        assert [[each["offset"] for each in letters] for letters in objects.values()] == [
            [1, 2],
            [3],
        ]
        assert all(
            re.fullmatch(r"dead/letters/\d{4}/\d\d/\d\d/[0-9a-f-]{36}\.jsonl", key)
            for key in objects
        )
        first = next(iter(objects.values()))
        assert first[1]["raw"] == {"base64": "/w=="}
        assert first[0]["target"] == "orders"
        head = s3.head_object(Bucket=bucket, Key=next(iter(objects)))
        assert head["ContentType"] == "application/x-ndjson"

    def test_a_large_one_is_several_objects(
        self, s3: S3Client, bucket: str, settings: S3Settings
    ) -> None:
        half = b"x" * (CHUNK_BYTES // 2 - 5_000)
        failures = [failure(offset=offset, raw=half) for offset in range(3)]
        DeadLetterObjects(bucket, "", settings).deliver("t", failures)
        objects = stored(s3, bucket)
        offsets = [[each["offset"] for each in letters] for letters in objects.values()]
        assert offsets == [[0, 1], [2]]
        assert not any(key.startswith("/") for key in objects)

    def test_without_dead_letters_there_is_no_object(
        self, s3: S3Client, bucket: str, settings: S3Settings
    ) -> None:
        DeadLetterObjects(bucket, "", settings).deliver("t", [])
        assert stored(s3, bucket) == {}


class TestFaults:
    def test_a_bucket_that_is_not_there(self, settings: S3Settings) -> None:
        sink = DeadLetterObjects("no-such-bucket-4711", "p", settings)
        with pytest.raises(ConfigError, match=r"no-such-bucket-4711.*does not exist"):
            sink.check()
        with pytest.raises(SinkFailed, match=r"no-such-bucket-4711.*does not exist"):
            sink.deliver("t", [failure()])

    def test_nobody_at_the_endpoint(self, s3_endpoint: str) -> None:
        (port,) = free_ports(1)
        endpoint = f"http://127.0.0.1:{port}"
        sink = DeadLetterObjects("b", "p", S3Settings(endpoint, max_attempts=1))
        with pytest.raises(SinkUnavailable, match=f"cannot reach s3://b/p at.*{port}"):
            sink.deliver("t", [failure()])
        with pytest.raises(SinkUnavailable):
            sink.check()

    @pytest.mark.parametrize(
        ("code", "status", "kind"),
        [
            ("AccessDenied", 403, SinkFailed),
            ("InvalidAccessKeyId", 403, SinkFailed),
            ("NoSuchBucket", 404, SinkFailed),
            ("EntityTooLarge", 400, SinkFailed),
            ("RequestTimeout", 400, SinkUnavailable),
            ("OperationAborted", 409, SinkUnavailable),
            ("InternalError", 500, SinkUnavailable),
            ("SlowDown", 503, SinkUnavailable),
        ],
    )
    def test_what_s3_answers_says_whether_to_wait(
        self, bucket: str, settings: S3Settings, code: str, status: int, kind: type[Exception]
    ) -> None:
        def refuse(**_: object) -> None:
            answer: Any = {
                "Error": {"Code": code},
                "ResponseMetadata": {"HTTPStatusCode": status},
            }
            raise ClientError(answer, "PutObject")

        events = client(settings).meta.events
        events.register("before-call.s3.PutObject", refuse, unique_id="refuse")
        try:
            with pytest.raises(kind, match=f"s3://{bucket}/p at"):
                DeadLetterObjects(bucket, "p", settings).deliver("t", [failure()])
        finally:
            events.unregister("before-call.s3.PutObject", unique_id="refuse")


class TestKey:
    AT = datetime(2026, 1, 31, 23, 59, 59, 999_000, tzinfo=UTC)

    def test_it_sorts_by_time(self) -> None:
        keys = [key_of("p", self.AT + timedelta(milliseconds=n)) for n in range(50)]
        assert keys == sorted(keys)
        assert keys[0].startswith("p/2026/01/31/")
        assert keys[1].startswith("p/2026/02/01/")

    def test_two_of_the_same_moment_differ(self) -> None:
        assert len({key_of("p", self.AT) for _ in range(1_000)}) == 1_000

    @pytest.mark.parametrize("chance", [0, 1, (1 << 62) - 1, 1 << 62, (1 << 74) - 1])
    def test_its_id_is_a_uuid_of_version_7(self, chance: int) -> None:
        import uuid

        number = uuid.UUID(key_of("", self.AT, chance)[11:-6])
        assert number.version == 7
        assert number.variant == uuid.RFC_4122
        assert number.int >> 80 == int(self.AT.timestamp() * 1000)
        assert (number.int >> 64 & 0xFFF) << 62 | number.int & (1 << 62) - 1 == chance
