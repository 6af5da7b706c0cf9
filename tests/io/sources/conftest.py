"""A ledger in memory, and where the S3 API of the tests is."""

from __future__ import annotations

import pytest

from clients.s3 import S3Settings
from tests.io.sources.reading import MemoryLedger


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def s3_settings(s3_endpoint: str) -> S3Settings:
    return S3Settings(endpoint_url=s3_endpoint, max_attempts=1)
