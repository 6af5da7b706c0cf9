"""Objects that are written again, copied or renamed, from a real S3 API into a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client
from mypy_boto3_s3.type_defs import CompletedPartTypeDef

from tests.pipelines.commands import ingested
from tests.pipelines.tables import query

pytestmark = [pytest.mark.integration, pytest.mark.slow]

FIVE_MIB = 5 << 20


def lines(first: int, count: int, width: int = 0) -> bytes:
    rows = ({"id": number, "t": "x" * width} for number in range(first, first + count))
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def upload(s3: S3Client, bucket: str, data: bytes, part_bytes: int) -> None:
    begun = s3.create_multipart_upload(Bucket=bucket, Key="in/a.jsonl")["UploadId"]
    parts: list[CompletedPartTypeDef] = []
    for number, at in enumerate(range(0, len(data), part_bytes), 1):
        part = s3.upload_part(
            Bucket=bucket,
            Key="in/a.jsonl",
            UploadId=begun,
            PartNumber=number,
            Body=data[at : at + part_bytes],
        )
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(
        Bucket=bucket, Key="in/a.jsonl", UploadId=begun, MultipartUpload={"Parts": parts}
    )


def test_an_object_is_its_key_and_its_etag(
    s3: S3Client, s3_endpoint: str, bucket: str, tmp_path: Path
) -> None:
    sink = f"sqlite:///{tmp_path}/i.db"

    def read() -> int:
        uri = f"s3://{bucket}/in/*.jsonl"
        read: int = ingested(uri, sink, "--s3_endpoint_url", s3_endpoint, table="t", key="id")[
            "read"
        ]
        return read

    s3.put_object(Bucket=bucket, Key="in/a.jsonl", Body=lines(0, 3))
    assert read() == 3
    s3.put_object(Bucket=bucket, Key="in/a.jsonl", Body=lines(0, 3))
    assert read() == 0, "the same bytes"
    s3.put_object(Bucket=bucket, Key="in/a.jsonl", Body=lines(0, 5))
    assert read() == 5, "other bytes are another version"
    s3.copy_object(
        Bucket=bucket, Key="in/b.jsonl", CopySource={"Bucket": bucket, "Key": "in/a.jsonl"}
    )
    s3.delete_object(Bucket=bucket, Key="in/a.jsonl")
    assert read() == 5, "a rename is a copy"
    assert query(sink, "SELECT count(*) FROM t") == [(5,)]
    s3.delete_object(Bucket=bucket, Key="in/b.jsonl")
    large = lines(0, 1_200, 10_000)
    upload(s3, bucket, large, FIVE_MIB)
    assert read() == 1_200
    upload(s3, bucket, large, FIVE_MIB)
    assert read() == 0, "the same bytes in the same parts"
    upload(s3, bucket, large, FIVE_MIB + 1)
    assert read() == 1_200, "the ETag of parts depends on their size"
