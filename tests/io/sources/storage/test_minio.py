"""What moto's server does not do: rights of single keys, and a server that dies in mid-read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from clients import s3 as s3_client
from clients.s3 import S3Settings
from sources.files.source import FilesSource
from tests.io.sources.files.test_walk import walked
from tests.io.sources.reading import MemoryLedger, failures, raws, read_all
from tests.services.minio import Minio, running
from transforms import metrics
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits, Reader
from transforms.errors import SourceUnavailable

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LINES = [b'{"n": %d}' % n for n in range(50_000)]
DATA = b"\n".join(LINES) + b"\n"


@pytest.fixture(scope="module")
def minio() -> Iterator[Minio]:
    program = shutil.which("minio")
    if program is None:
        pytest.skip("MINIO TESTS SKIPPED: no minio on the PATH")
    with running(program) as server:
        server.client().create_bucket(Bucket="events")
        yield server


@pytest.fixture
def settings(minio: Minio) -> S3Settings:
    return S3Settings(minio.url, region="us-east-1", connect_timeout=1.0, max_attempts=1)


@pytest.fixture(autouse=True)
def rights(minio: Minio, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The reader has credentials of its own, and a client that has not seen others."""
    use(minio, monkeypatch)
    metrics.reset()
    yield
    s3_client._clients.clear()
    metrics.reset()


def use(minio: Minio, monkeypatch: pytest.MonkeyPatch, *denied: str) -> None:
    for name, value in minio.credentials(*denied).items():
        monkeypatch.setenv(name, value)
    s3_client._clients.clear()


def read_on(reader: Reader, batches: list[RecordBatch]) -> None:
    """Append what is left to ``batches``."""
    done = False
    while not done:
        polled = reader.poll(5)
        batches += polled.batches
        done = polled.done


@pytest.mark.parametrize("walk", [False, True])
def test_keys_that_are_denied_are_left_and_read_once_they_are_not(
    minio: Minio, settings: S3Settings, monkeypatch: pytest.MonkeyPatch, walk: bool
) -> None:
    prefix = f"denied-{walk}"
    for name in "abc":
        minio.client().put_object(
            Bucket="events", Key=f"{prefix}/{name}.jsonl", Body=f'"{name}"\n'.encode()
        )
    use(minio, monkeypatch, f"events/{prefix}/b.jsonl")
    ledger = MemoryLedger()
    files = FilesSource(f"s3://events/{prefix}/*", s3=settings, walk=walk)
    files.check()
    if walk:
        (split,) = files.splits(ledger)
        batches = walked(files.open(split, (), ledger))
        ledger.settle(batches)
    else:
        batches = read_all(files, ledger)
    assert (raws(batches), failures(batches)) == ([b'"a"', b'"c"'], [])
    assert metrics.tally()["objects_unavailable"] == 1
    use(minio, monkeypatch)
    assert raws(read_all(FilesSource(files.uri, s3=settings), ledger)) == [b'"b"']


def test_a_prefix_that_may_not_be_listed_is_a_clear_error(
    minio: Minio, settings: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(minio, monkeypatch, "events")
    with pytest.raises(SourceUnavailable, match=r"access to s3://events/x/\* .*is denied"):
        FilesSource("s3://events/x/*", s3=settings).check()


def test_an_object_that_is_overwritten_in_mid_read_is_one_failure(
    minio: Minio, settings: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sources.storage.s3._BLOCK_BYTES", 100_000)
    client = minio.client()
    client.put_object(Bucket="events", Key="over/a.jsonl", Body=DATA)
    limits = BatchLimits(records=1_000)
    files = FilesSource("s3://events/over/*", s3=settings, limits=limits)
    (split,) = files.splits(MemoryLedger())
    reader = files.open(split, (), MemoryLedger())
    batches = list(reader.poll(5).batches)
    client.put_object(Bucket="events", Key="over/a.jsonl", Body=DATA[::-1])
    read_on(reader, batches)
    reader.close()
    (failure,) = failures(batches)
    assert failure.category == "object_changed"
    assert raws(batches) == LINES[: len(raws(batches))]


def test_a_server_that_is_killed_and_back_costs_and_repeats_nothing(
    minio: Minio, settings: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sources.storage.s3._BLOCK_BYTES", 100_000)
    monkeypatch.setattr("sources.storage.s3.sleep", lambda seconds: None)
    minio.client().put_object(Bucket="events", Key="kill/a.jsonl", Body=DATA)
    files = FilesSource("s3://events/kill/*", s3=settings, limits=BatchLimits(records=1_000))
    ledger = MemoryLedger()
    (split,) = files.splits(ledger)
    reader = files.open(split, (), ledger)
    batches = list(reader.poll(5).batches)
    minio.kill()
    with pytest.raises(SourceUnavailable):
        read_on(reader, batches)
    minio.start()
    read_on(reader, batches)
    reader.close()
    assert raws(batches) == LINES
    ledger.settle(batches)
    assert list(files.splits(ledger)) == []
