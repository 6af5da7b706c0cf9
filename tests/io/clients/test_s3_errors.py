from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from clients import s3
from clients.s3_errors import (
    FAULTS,
    code_of,
    is_lasting,
    line_of,
    place_of,
    status_of,
    unreached,
    write_fault,
)
from tests.services.answering import answering
from tests.services.certificate import self_signed
from transforms.errors import SinkFailed, SinkUnavailable


def error(answer: dict[str, Any]) -> ClientError:
    return ClientError(answer, "GetObject")  # type: ignore[arg-type]


def test_code_and_status_of_an_answer() -> None:
    slow = error({"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}})
    assert (code_of(slow), status_of(slow)) == ("SlowDown", 503)


def test_an_answer_without_them_has_none() -> None:
    assert (code_of(error({})), status_of(error({}))) == ("", 0)


def test_the_message_is_one_line() -> None:
    assert line_of(ValueError("a\n  b")) == "a b"


@pytest.mark.parametrize(
    ("endpoint", "place"),
    [
        (None, "s3://b/k"),
        ("http://localhost:9000", "s3://b/k at http://localhost:9000"),
    ],
)
def test_a_place_is_named_with_its_service(endpoint: str | None, place: str) -> None:
    assert place_of("s3://b/k", endpoint) == place


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("SlowDown", 503, SinkUnavailable),
        ("SlowDown", 400, SinkUnavailable),
        ("InternalError", 500, SinkUnavailable),
        ("ConditionalRequestConflict", 409, SinkUnavailable),
        ("AccessDenied", 403, SinkFailed),
        ("NoSuchBucket", 404, SinkFailed),
        ("InvalidRequest", 400, SinkFailed),
    ],
)
def test_a_write_waits_for_what_may_pass(code: str, status: int, kind: type[Exception]) -> None:
    refusal = error({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}})
    fault = write_fault(refusal, "objects", "s3://b/k", None)
    assert type(fault) is kind
    assert "s3://b/k" in str(fault)


def test_a_write_without_credentials_says_where_they_belong() -> None:
    fault = write_fault(NoCredentialsError(), "objects", "s3://b/k", None)
    assert isinstance(fault, SinkFailed)
    assert "no AWS credentials to write objects to s3://b/k: set AWS_ACCESS_KEY_ID" in str(fault)


class TestTls:
    """What is said where TLS fails; the errors are boto3's own, from real servers."""

    WHERE = "s3://lake/t at https"

    def fault(self, url: str) -> Exception:
        """What boto3 raises for a service at ``url``."""
        client = s3.client(s3.S3Settings(url, region="us-east-1", max_attempts=1))
        with pytest.raises(FAULTS) as caught:
            client.list_objects_v2(Bucket="lake")
        return caught.value

    @pytest.fixture(autouse=True)
    def credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)

    def test_a_certificate_that_nobody_trusts_is_a_mistake(self, tls: str) -> None:
        fault = self.fault(tls)
        line = (
            f"cannot reach {self.WHERE}: SSLError (certificate verify failed: self-signed certificate); "
            "AWS_CA_BUNDLE names a file of the authorities to trust"
        )
        assert unreached(fault, self.WHERE) == line
        assert is_lasting(fault)
        assert type(write_fault(fault, "objects", "s3://lake/t", tls)) is SinkFailed

    def test_a_file_of_authorities_that_is_not_there_is_a_mistake(
        self, tls: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("AWS_CA_BUNDLE", f"{tmp_path}/none.pem")
        fault = self.fault(tls)
        assert unreached(fault, self.WHERE).endswith(
            "; AWS_CA_BUNDLE names a file that is not there"
        )
        assert is_lasting(fault)

    def test_a_port_without_tls_is_a_mistake(self) -> None:
        with answering(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n")) as port:
            fault = self.fault(f"https://127.0.0.1:{port}")
        line = (
            f"cannot reach {self.WHERE}: SSLError (wrong version number); "
            "the service does not speak TLS at this port: use http://"
        )
        assert unreached(fault, self.WHERE) == line
        assert is_lasting(fault)

    def test_a_service_that_ends_the_handshake_may_be_back(self) -> None:
        with answering(lambda connection: None) as port:
            fault = self.fault(f"https://127.0.0.1:{port}")
        assert not is_lasting(fault)
        assert unreached(fault, self.WHERE) == f"cannot reach {self.WHERE}: {type(fault).__name__}"
        assert type(write_fault(fault, "objects", "s3://lake/t", None)) is SinkUnavailable

    @pytest.fixture
    def tls(self, tmp_path: Path) -> Iterator[str]:
        """The address of a service whose certificate nobody trusts."""
        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        for path, text in zip((certificate, key), self_signed(), strict=True):
            path.write_text(text)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        def shake_hands(connection: socket.socket) -> None:
            with suppress(OSError):
                context.wrap_socket(connection, server_side=True).close()

        with answering(shake_hands) as port:
            yield f"https://127.0.0.1:{port}"
