"""A ledger in memory and a real S3 API."""

from __future__ import annotations

import os
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer
from mypy_boto3_s3 import S3Client

from sources.s3 import S3Settings
from tests.io.sources.reading import MemoryLedger


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A server of moto on a free port."""
    chain = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    before = {name: os.environ.get(name) for name in (*chain, "AWS_DEFAULT_REGION")}
    os.environ.update(chain, AWS_DEFAULT_REGION="us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture
def s3_settings(s3_endpoint: str) -> S3Settings:
    return S3Settings(endpoint_url=s3_endpoint, max_attempts=1)


@pytest.fixture
def s3(s3_endpoint: str) -> S3Client:
    return boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1")


_buckets = iter(range(10_000))


@pytest.fixture
def bucket(s3: S3Client) -> str:
    name = f"bucket-{next(_buckets)}"
    s3.create_bucket(Bucket=name)
    return name
