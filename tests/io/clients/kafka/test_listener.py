"""Which setting does not fit a listener; on those of a real broker: ``sources/kafka/test_access``."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients.kafka.listener import FirstContact, Listener, mismatch, probe
from tests.services.certificate import self_signed
from tests.services.kafka_mock import mock_cluster

LOGIN = {"sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": "p"}
TLS = Listener("b:1", tls=True, mechanisms=())
TLS_LOGIN = Listener("b:1", tls=True, mechanisms=("PLAIN", "SCRAM-SHA-256"))
LOGIN_ONLY = Listener("b:1", tls=False, mechanisms=("PLAIN",))
OPEN = Listener("b:1", tls=False, mechanisms=())


def settings(protocol: str = "", **more: str) -> tuple[tuple[str, str], ...]:
    own = {"security.protocol": protocol} if protocol else {}
    return tuple({**own, **more}.items())


class TestMismatch:
    @pytest.mark.parametrize(
        ("listener", "protocol", "right"),
        [
            (TLS, "", "SSL"),
            (TLS, "SASL_SSL", "SSL"),
            (TLS_LOGIN, "", "SASL_SSL"),
            (TLS_LOGIN, "ssl", "SASL_SSL"),
            (TLS_LOGIN, "SASL_PLAINTEXT", "SASL_SSL"),
            (LOGIN_ONLY, "PLAINTEXT", "SASL_PLAINTEXT"),
            (LOGIN_ONLY, "SASL_SSL", "SASL_PLAINTEXT"),
            (OPEN, "SSL", "PLAINTEXT"),
            (OPEN, "sasl_plaintext", "PLAINTEXT"),
            (Listener("b:1", tls=True), "", "SSL"),
            (Listener("b:1", tls=True), "SASL_PLAINTEXT", "SASL_SSL"),
        ],
    )
    def test_the_protocol_that_fits_is_named(
        self, listener: Listener, protocol: str, right: str
    ) -> None:
        line = mismatch(listener, settings(protocol, **LOGIN))
        assert f"security.protocol is {protocol.upper() or 'PLAINTEXT'}" in line
        assert line.endswith(f"set --kafka_config security.protocol={right}")
        assert mismatch(listener, settings(right, **LOGIN)) == "", "what it advises fits"

    def test_without_a_mechanism_the_settings_of_the_login_are_named_too(self) -> None:
        assert "and those of sasl.*" in mismatch(LOGIN_ONLY, ())

    def test_a_mechanism_that_is_not_offered(self) -> None:
        chosen = settings("SASL_PLAINTEXT", **{"sasl.mechanism": "SCRAM-SHA-512"})
        assert (
            "expects no TLS and a login by PLAIN, but sasl.mechanism is SCRAM-SHA-512"
            in mismatch(LOGIN_ONLY, chosen)
        )

    def test_a_certificate_of_the_client_that_is_not_there(self) -> None:
        listener = Listener("b:1", tls=True, certificate=True)
        assert "ssl.certificate.location" in mismatch(listener, settings("SSL"))
        with_one = settings("SSL", **{"ssl.certificate.location": "c.pem"})
        assert mismatch(listener, with_one) == ""


def _answer_under_tls(connection: socket.socket, context: ssl.SSLContext, answer: bytes) -> None:
    with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secure:
        try:
            secure.do_handshake()
            secure.recv(100)
            secure.sendall(answer)
        except ssl.SSLError:
            # What is not read would reset the connection before the alert arrives.
            secure.shutdown(socket.SHUT_WR)
            while secure.recv(100):
                pass


@contextmanager
def answering(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that says ``answer`` to every connection, under TLS if there is a context."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    if context is None:
                        connection.recv(100)
                        connection.sendall(answer)
                    else:
                        _answer_under_tls(connection, context, answer)
                except OSError:
                    pass

    threading.Thread(target=serve, daemon=True).start()
    with server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    certificate, key = self_signed()
    (tmp_path / "both.pem").write_text(certificate + key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "both.pem")
    return server


class TestProbe:
    def test_a_server_with_tls_is_told_whatever_it_speaks_under_it(
        self, context: ssl.SSLContext
    ) -> None:
        with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n", context) as address:
            assert probe(address) == Listener(address, tls=True)

    def test_a_server_with_tls_that_expects_a_certificate(
        self, context: ssl.SSLContext, tmp_path: Path
    ) -> None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(tmp_path / "both.pem")
        with answering(b"", context) as address:
            assert probe(address) == Listener(address, tls=True, certificate=True)

    @pytest.mark.parametrize(
        "answer", [b"", b"\0\0", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\x0a" + b"\0" * 10]
    )
    def test_of_another_server_nothing_is_said(self, answer: bytes) -> None:
        with answering(answer) as address:
            assert probe(address) is None

    def test_of_nobody_nothing_is_said(self) -> None:
        assert probe("127.0.0.1:9") is None
        assert probe("no.such.host.invalid:9092") is None
        assert probe("127.0.0.1:99999") is None


class TestFirstContact:
    def test_the_first_broker_that_answers_is_asked(self, context: ssl.SSLContext) -> None:
        with answering(b"", context) as address:
            line = FirstContact(f"127.0.0.1:9,{address}", ()).mismatch()
        assert line.endswith("set --kafka_config security.protocol=SSL")

    def test_once_a_broker_has_answered_settings_are_not_to_blame(
        self, context: ssl.SSLContext
    ) -> None:
        with answering(b"", context) as address:
            contact = FirstContact(address, ())
            contact.answered()
            assert contact.mismatch() == ""

    def test_a_cluster_that_is_right_has_no_mismatch(self) -> None:
        with mock_cluster() as bootstrap:
            assert FirstContact(bootstrap, ()).mismatch() == ""
