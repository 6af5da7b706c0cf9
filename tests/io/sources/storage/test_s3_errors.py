"""What each answer of S3 means to a reader; the errors are boto3's own, from real answers."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from botocore.exceptions import ParamValidationError, PartialCredentialsError

from clients.s3 import S3Settings
from sources.storage.s3 import S3Storage
from sources.storage.s3_errors import described
from tests.io.sources.storage.test_s3 import Flaky, answer
from tests.services.answering import answering
from transforms.errors import (
    ConfigError,
    ObjectFailed,
    ObjectUnavailable,
    SluiceError,
    SourceRefused,
    SourceUnavailable,
)

DOCS = Path(__file__).parents[4] / "docs" / "failures.md"

CASES: list[tuple[str, str, type[SluiceError], str]] = [
    ("412 Precondition Failed", "PreconditionFailed", ObjectFailed, "changed after it was listed"),
    ("404 Not Found", "NoSuchKey", ObjectFailed, "is gone"),
    ("404 Not Found", "NoSuchBucket", ConfigError, "does not exist"),
    ("403 Forbidden", "InvalidObjectState", ObjectUnavailable, "archived; restore it"),
    ("403 Forbidden", "AccessDenied", ObjectUnavailable, "access is denied"),
    ("400 Bad Request", "InvalidRequest", ObjectUnavailable, "cannot be decrypted"),
    ("403 Forbidden", "InvalidAccessKeyId", SourceRefused, "check the credentials"),
    ("403 Forbidden", "SignatureDoesNotMatch", SourceRefused, "check the credentials"),
    ("401 Unauthorized", "Unauthorized", SourceRefused, "check the credentials"),
    ("400 Bad Request", "ExpiredToken", SourceRefused, "ExpiredToken"),
    ("500 Internal Server Error", "InternalError", SourceUnavailable, "InternalError"),
    ("503 Slow Down", "SlowDown", SourceUnavailable, "SlowDown"),
]
"""Status, S3's code, what it means, and what is said."""


def read(url: str) -> bytes:
    settings = S3Settings(url, connect_timeout=5.0, read_timeout=0.5, max_attempts=1)
    return S3Storage(settings).open("s3://bucket/key", "v").read_at(0, 6)


@pytest.fixture(autouse=True)
def setting(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials are there (the endpoint's fixture sets them), and no pause is waited for."""
    monkeypatch.setattr("sources.storage.s3.sleep", lambda seconds: None)


@pytest.mark.parametrize(("status", "code", "meaning", "text"), CASES)
def test_an_answer_has_one_meaning(
    status: str, code: str, meaning: type[SluiceError], text: str
) -> None:
    flaky = Flaky(answer(status, b"<Error><Code>%s</Code></Error>" % code.encode()))
    with pytest.raises(meaning, match=text) as caught:
        read(flaky.url)
    flaky.close()
    assert type(caught.value) is meaning
    assert "s3://bucket/key" in str(caught.value) or meaning is ConfigError


@pytest.mark.parametrize(
    ("status", "code", "category"),
    [
        ("412 Precondition Failed", "PreconditionFailed", "object_changed"),
        ("404 Not Found", "NoSuchKey", "object_missing"),
    ],
)
def test_an_object_that_failed_says_how(status: str, code: str, category: str) -> None:
    flaky = Flaky(answer(status, b"<Error><Code>%s</Code></Error>" % code.encode()))
    with pytest.raises(ObjectFailed) as caught:
        read(flaky.url)
    flaky.close()
    assert caught.value.category == category


def test_a_range_beyond_the_end_is_empty() -> None:
    flaky = Flaky(answer("416 Range Not Satisfiable", b"<Error><Code>InvalidRange</Code></Error>"))
    assert read(flaky.url) == b""
    flaky.close()


def test_a_closed_port_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(SourceUnavailable, match="EndpointConnectionError"):
        read(f"http://127.0.0.1:{port}")


def test_a_service_that_says_nothing_is_unavailable() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(SourceUnavailable, match="ReadTimeoutError"),
    ):
        read(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_half_a_pair_of_credentials_is_a_mistake_of_the_user() -> None:
    error = PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY")
    assert type(described(error, "s3://b/k", None)) is ConfigError


def test_a_name_that_cannot_be_is_a_mistake_of_the_user() -> None:
    error = ParamValidationError(report="no such name")
    assert type(described(error, "s3://b@d/k", None)) is ConfigError


def test_every_answer_stands_in_the_docs() -> None:
    named = set(re.findall(r"`(\w+)`", DOCS.read_text()))
    in_docs = {"PreconditionFailed": "412", "Unauthorized": "401", "ExpiredToken": "400"}
    assert {in_docs.get(code, code) for _, code, _, _ in CASES} <= named
    assert {status.split()[0] for status, _, _, _ in CASES} | {"416"} <= named


def test_a_port_without_tls_is_a_mistake_at_the_start_and_not_waited_for() -> None:
    plain = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    with answering(lambda connection: connection.sendall(plain)) as port:
        settings = S3Settings(f"https://127.0.0.1:{port}", max_attempts=1)
        with pytest.raises(SourceRefused, match="does not speak TLS at this port: use http://"):
            list(S3Storage(settings).list("s3://bucket/key"))
