from __future__ import annotations

import gzip
import io
import socket
import threading

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mypy_boto3_s3 import S3Client

from clients.s3 import S3Settings, client
from sources.files.source import FilesSource
from sources.storage.objects import HIDDEN
from sources.storage.s3 import S3Storage
from sources.storage.s3_names import bucket_and_key
from tests.io.sources.reading import MemoryLedger, drained, failures, raws, read_all, read_split
from transforms.batch.splits import BatchLimits
from transforms.errors import ConfigError, SourceUnavailable

pytestmark = pytest.mark.integration


def keys(settings: S3Settings, glob: str) -> list[str]:
    return [bucket_and_key(stored.uri)[1] for stored in S3Storage(settings).list(glob)]


@pytest.fixture
def filled(s3: S3Client, bucket: str) -> str:
    for key in ("e/a.jsonl", "e/b.jsonl", "e/x/c.jsonl", "e/", "e/d.csv", "other/a.jsonl"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"" if key.endswith("/") else key.encode())
    return bucket


class TestListing:
    @pytest.mark.parametrize(
        ("glob", "matches"),
        [
            ("e/*.jsonl", ["e/a.jsonl", "e/b.jsonl"]),
            ("e/**/*.jsonl", ["e/a.jsonl", "e/b.jsonl", "e/x/c.jsonl"]),
            ("e/[!a].jsonl", ["e/b.jsonl"]),
            ("*/a.jsonl", ["e/a.jsonl", "other/a.jsonl"]),
            ("e/*", ["e/a.jsonl", "e/b.jsonl", "e/d.csv"]),
            ("e/a.jsonl", ["e/a.jsonl"]),
            ("e/a", []),
            ("none*", []),
        ],
    )
    def test_globs(
        self, s3_settings: S3Settings, filled: str, glob: str, matches: list[str]
    ) -> None:
        assert keys(s3_settings, f"s3://{filled}/{glob}") == matches
        storage = S3Storage(s3_settings)
        assert all(
            storage.matches(f"s3://{filled}/{glob}", f"s3://{filled}/{key}") for key in matches
        )

    def test_empty_segments_are_listed_and_hidden_names_passed_over(
        self, s3: S3Client, s3_settings: S3Settings, bucket: str
    ) -> None:
        for key in ("e//a.jsonl", "e/b.jsonl", "e/_tmp/c.jsonl", "e/.d.jsonl", "/f.jsonl"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"")
        listed = {
            bucket_and_key(stored.uri)[1]: stored.passed_over
            for stored in S3Storage(s3_settings).list(f"s3://{bucket}/**/*.jsonl")
        }
        assert listed == {
            **dict.fromkeys(("e//a.jsonl", "e/b.jsonl", "/f.jsonl"), ""),
            **dict.fromkeys(("e/_tmp/c.jsonl", "e/.d.jsonl"), HIDDEN),
        }
        files = FilesSource(f"s3://{bucket}/**/*.jsonl", s3=s3_settings)
        assert len(list(files.splits(MemoryLedger()))) == 3

    def test_version_is_the_etag(self, s3: S3Client, s3_settings: S3Settings, filled: str) -> None:
        (stored,) = S3Storage(s3_settings).list(f"s3://{filled}/e/a.jsonl")
        etag = s3.head_object(Bucket=filled, Key="e/a.jsonl")["ETag"]
        assert (stored.version, stored.size) == (etag.strip('"'), 9)

    @pytest.mark.parametrize("glob", ["e", "e/", "other/"])
    def test_folder_asks_for_a_glob(self, s3_settings: S3Settings, filled: str, glob: str) -> None:
        with pytest.raises(ConfigError, match="add a glob"):
            keys(s3_settings, f"s3://{filled}/{glob}")

    def test_more_keys_than_a_page_are_listed_lazily(
        self,
        s3: S3Client,
        s3_settings: S3Settings,
        bucket: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("sources.storage.s3._PAGE_KEYS", 20)
        for n in range(30):
            s3.put_object(Bucket=bucket, Key=f"{n:04}.jsonl", Body=b"")
        pages: list[str] = []
        client(s3_settings).meta.events.register(
            "before-call.s3.ListObjectsV2", lambda **_: pages.append("page"), unique_id="count"
        )
        try:
            listed = S3Storage(s3_settings).list(f"s3://{bucket}/*.jsonl")
            next(listed)
            assert len(pages) == 1
            assert len(list(listed)) == 29
            assert len(pages) == 2
        finally:
            client(s3_settings).meta.events.unregister(
                "before-call.s3.ListObjectsV2", unique_id="count"
            )


class TestReading:
    @pytest.mark.parametrize(
        "key",
        ["a b.jsonl", "100%.jsonl", "a%20b.jsonl", "a+b&c=d.jsonl", "é/日本.jsonl", "a//b.jsonl"],
    )
    def test_special_characters_in_keys(
        self, s3: S3Client, s3_settings: S3Settings, bucket: str, key: str
    ) -> None:
        s3.put_object(Bucket=bucket, Key=key, Body=b"1\n")
        batches = read_all(FilesSource(f"s3://{bucket}/**", s3=s3_settings))
        assert raws(batches) == [b"1"]
        assert batches[0].span.source == f"s3://{bucket}/{key}"

    def test_all_formats(self, s3: S3Client, s3_settings: S3Settings, bucket: str) -> None:
        parquet = io.BytesIO()
        pq.write_table(pa.table({"n": [4, 5]}), parquet)
        s3.put_object(Bucket=bucket, Key="1.jsonl.gz", Body=gzip.compress(b"1\n") * 2)
        s3.put_object(Bucket=bucket, Key="2.csv", Body=b"n\n3\n")
        s3.put_object(Bucket=bucket, Key="3.parquet", Body=parquet.getvalue())
        s3.put_object(Bucket=bucket, Key="4.jsonl", Body=b"")
        ledger = MemoryLedger()
        files = FilesSource(f"s3://{bucket}/*", s3=s3_settings)
        assert raws(read_all(files, ledger)) == [b"1", b"1", b"3", b'[{"n":4},{}]', b'[{"n":5},{}]']
        assert list(files.splits(ledger)) == []

    def test_ranges_of_a_large_object(
        self, s3: S3Client, s3_settings: S3Settings, bucket: str
    ) -> None:
        lines = [b'{"n":%d,"pad":"%s"}' % (n, b"x" * (n % 300)) for n in range(120_000)]
        text = b"\n".join(lines)
        assert len(text) > 2 * (8 << 20)
        s3.put_object(Bucket=bucket, Key="a.jsonl", Body=text)
        files = FilesSource(f"s3://{bucket}/*", s3=s3_settings, split_bytes=9_000_000)
        ledger = MemoryLedger()
        assert raws(read_all(files, ledger)) == lines
        (coverage,) = ledger.coverages.values()
        assert coverage.complete

    def test_last_line_without_newline_beyond_the_end_of_its_range(
        self, s3: S3Client, s3_settings: S3Settings, bucket: str
    ) -> None:
        s3.put_object(Bucket=bucket, Key="a.jsonl", Body=b"1\n22222")
        files = FilesSource(f"s3://{bucket}/*", s3=s3_settings, split_bytes=4)
        assert raws(read_all(files)) == [b"1", b"22222"]

    def test_one_client_serves_all_readers(self, s3_settings: S3Settings) -> None:
        clients: list[S3Client] = []
        threads = [
            threading.Thread(target=lambda: clients.append(client(s3_settings))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(map(id, clients))) == 1


class TestChangedObject:
    # More than three blocks: two are fetched before the object is overwritten.
    lines = tuple(b'{"old":%07d,"pad":"%s"}' % (n, b"x" * 80) for n in range(300_000))

    @pytest.fixture
    def files(self, s3: S3Client, s3_settings: S3Settings, bucket: str) -> FilesSource:
        s3.put_object(Bucket=bucket, Key="a.jsonl", Body=b"\n".join(self.lines))
        return FilesSource(f"s3://{bucket}/*", s3=s3_settings, limits=BatchLimits(records=10_000))

    def test_overwritten_half_way_keeps_what_came_before_and_fails(
        self, s3: S3Client, files: FilesSource, bucket: str
    ) -> None:
        (split,) = files.splits(MemoryLedger())
        reader = files.open(split, (), MemoryLedger())
        first = raws(reader.poll(5).batches)
        new = b"\n".join(line.replace(b"old", b"new") for line in self.lines)
        s3.put_object(Bucket=bucket, Key="a.jsonl", Body=new)
        batches = drained(reader)
        good = first + raws(batches)
        assert 10_000 <= len(good) < len(self.lines)
        assert good == list(self.lines[: len(good)])
        (failure,) = failures(batches)
        assert (failure.stage, failure.category) == ("read", "object_changed")
        assert (batches[-1].span.end, batches[-1].span.final) == (split.size, True)
        ledger = MemoryLedger()
        assert raws(read_all(files, ledger))[0].startswith(b'{"new":')

    def test_deleted_before_it_is_read(self, s3: S3Client, files: FilesSource, bucket: str) -> None:
        (split,) = files.splits(MemoryLedger())
        s3.delete_object(Bucket=bucket, Key="a.jsonl")
        (failure,) = failures(read_split(files, split))
        assert failure.category == "object_missing"
        assert failure.message == f"s3://{bucket}/a.jsonl is gone"


class TestUnavailable:
    def test_unreachable_endpoint(self, s3_endpoint: str) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        settings = S3Settings(f"http://127.0.0.1:{port}", max_attempts=1)
        with pytest.raises(SourceUnavailable) as failed:
            FilesSource("s3://bucket/*.jsonl", s3=settings).check()
        assert f"cannot reach s3://bucket/*.jsonl at http://127.0.0.1:{port}" in str(failed.value)

    def test_missing_bucket(self, s3_settings: S3Settings) -> None:
        with pytest.raises(ConfigError, match=r"bucket of s3://no-such-bucket/\*\.jsonl .*exist"):
            FilesSource("s3://no-such-bucket/*.jsonl", s3=s3_settings).check()

    def test_invalid_bucket_name(self, s3_settings: S3Settings) -> None:
        with pytest.raises(ConfigError, match="not a valid S3 URI"):
            FilesSource("s3://in valid/*.jsonl", s3=s3_settings).check()

    def test_invalid_endpoint(self) -> None:
        with pytest.raises(ConfigError, match="cannot set up S3"):
            FilesSource("s3://bucket/*.jsonl", s3=S3Settings("localhost:9000")).check()

    def test_no_credentials(self, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        settings = S3Settings(s3_endpoint, connect_timeout=4.0)
        with pytest.raises(ConfigError, match="no AWS credentials"):
            FilesSource("s3://bucket/*.jsonl", s3=settings).check()


@pytest.mark.parametrize(
    ("name", "encoding", "data"),
    [
        ("a.jsonl", "gzip", gzip.compress(b"1\n", mtime=0)),
        ("a.jsonl", "gzip", b"1\n"),
        ("a.jsonl.gz", "", b"1\n"),
        ("a.jsonl", "aws-chunked", b"1\n"),
    ],
)
def test_content_decides_over_content_encoding(
    s3: S3Client, s3_settings: S3Settings, bucket: str, name: str, encoding: str, data: bytes
) -> None:
    s3.put_object(Bucket=bucket, Key=name, Body=data, ContentEncoding=encoding)
    assert raws(read_all(FilesSource(f"s3://{bucket}/{name}", s3=s3_settings))) == [b"1"]


def test_an_encoding_that_cannot_be_read_is_named(
    s3: S3Client, s3_settings: S3Settings, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="a.jsonl", Body=b"\x8b\0\x80x\x03", ContentEncoding="br")
    (failure,) = failures(read_all(FilesSource(f"s3://{bucket}/a.jsonl", s3=s3_settings)))
    assert "Content-Encoding br" in failure.message


class Flaky:
    """An S3 endpoint that answers every request with what ``answer`` says, over a socket."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65536)
                self.requests.append(request)
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                connection.sendall(answer)

    def close(self) -> None:
        self._socket.close()


def answer(status: str, body: bytes, length: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n"
    return head.encode() + b'ETag: "v"\r\nConnection: close\r\n\r\n' + body


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr("sources.storage.s3.sleep", pauses.append)
    return pauses


class TestTransfer:
    def read(self, flaky: Flaky) -> bytes:
        settings = S3Settings(flaky.url, max_attempts=1)
        return S3Storage(settings).open("s3://bucket/key", "v").read_at(0, 6)

    def test_broken_transfer_is_tried_again(self, s3_endpoint: str, no_pause: list[float]) -> None:
        flaky = Flaky(
            answer("206 Partial Content", b"abc", length=6),
            answer("206 Partial Content", b"abcdef"),
        )
        assert self.read(flaky) == b"abcdef"
        assert len(no_pause) == 1
        assert all(b'If-Match: "v"' in request for request in flaky.requests)
        flaky.close()

    def test_transfer_that_breaks_every_time_is_unavailable(
        self, s3_endpoint: str, no_pause: list[float]
    ) -> None:
        flaky = Flaky(answer("206 Partial Content", b"abc", length=6))
        with pytest.raises(SourceUnavailable, match="s3://bucket/key"):
            self.read(flaky)
        assert len(no_pause) == 4
        flaky.close()

    @pytest.mark.parametrize(
        ("status", "code"),
        [("503 Slow Down", "SlowDown"), ("403 Forbidden", "SignatureDoesNotMatch")],
    )
    def test_refusal_is_unavailable_and_names_the_code(
        self, s3_endpoint: str, no_pause: list[float], status: str, code: str
    ) -> None:
        flaky = Flaky(answer(status, b"<Error><Code>%s</Code></Error>" % code.encode()))
        with pytest.raises(SourceUnavailable, match=code):
            self.read(flaky)
        flaky.close()


def test_settings_hold_no_secret_and_no_client(s3_settings: S3Settings) -> None:
    text = repr(FilesSource("s3://bucket/*", s3=s3_settings))
    assert boto3.Session().get_credentials() is not None
    assert "test" not in text
