from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from sinks.objects.compaction.sweep import Sweep
from sinks.objects.compaction.uploads import abort, expired
from sinks.objects.config import ObjectConfig
from sinks.objects.stores import store_of
from tests.io.sinks.objects.filled_lake import BY, FilledLake
from transforms.errors import SinkFailed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_uploads_of_objects_that_the_state_knows_end(
    lake: FilledLake, s3: S3Client, s3_endpoint: str, bucket: str
) -> None:
    config = ObjectConfig.of(f"s3://{bucket}/lake", endpoint_url=s3_endpoint)
    for key in ("lake/t/a.parquet", "lake/t/foreign.parquet", "other/t/a.parquet"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    lake.settle("t/a.parquet", [{"n": 1}], state="orphan", sink=config.url)
    hour = timedelta(hours=1)
    work = Sweep(lake.database, store_of(config), config.url, hour, BY, lambda: None)
    # The service enters 2010 as the time of every upload; 100 years ago there was none.
    young = replace(work, keep=timedelta(days=36_500))
    assert expired(young, config) == []
    assert abort(work, config) == 1
    left = [row["Key"] for row in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]]
    assert left == ["lake/t/foreign.parquet", "other/t/a.parquet"]
    assert abort(work, config) == 0


def test_a_bucket_that_is_gone_is_said_in_one_line(lake: FilledLake, s3_endpoint: str) -> None:
    config = ObjectConfig.of("s3://no-such-bucket/lake", endpoint_url=s3_endpoint)
    work = Sweep(lake.database, store_of(config), config.url, timedelta(0), BY, lambda: None)
    with pytest.raises(SinkFailed, match="the bucket of s3://no-such-bucket/lake"):
        expired(work, config)
