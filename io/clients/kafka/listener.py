"""What a broker's listener speaks: asked by hand, where the client library says only that it failed.

A client without TLS or SASL on a listener that expects them is disconnected without a word. Nothing
secret is sent here, and no certificate is checked: the question is only which settings would fit.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from clients.kafka.config import Config

_SECONDS = 2.0
_REFUSAL_SECONDS = 0.3
_MOST_BROKERS = 3
_MOST_BYTES = 1 << 16
_PORT = 9092

_SASL_HANDSHAKE, _VERSION, _CORRELATION = 17, 1, 0x51CE
"""https://kafka.apache.org/protocol.html: brokers answer it before any login, from 1.0 on."""

_NO_SASL = 34
"""ILLEGAL_SASL_STATE: the listener asks for no login."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What one listener expects.

    Attributes:
        address: Host and port.
        tls: Whether it speaks TLS.
        mechanisms: The SASL mechanisms of which it expects one, none if it expects no login; None
            if that is not known.
        certificate: Whether it expects a certificate of the client.
    """

    address: str
    tls: bool
    mechanisms: tuple[str, ...] | None = None
    certificate: bool = False


class FirstContact:
    """Explains why no broker has answered yet; once one has, settings are not to blame.

    Args:
        brokers: Bootstrap servers.
        config: The user's settings of librdkafka.
    """

    def __init__(self, brokers: str, config: Config) -> None:
        self._brokers = brokers
        self._config = config
        self._answered = False

    @property
    def pending(self) -> bool:
        """Whether no broker has answered yet."""
        return not self._answered

    def answered(self) -> None:
        """A broker has answered."""
        self._answered = True

    def mismatch(self) -> str:
        """Which setting does not fit the listener; empty if that is not to blame, as far as known.

        Takes some seconds at most.
        """
        if self._answered:
            return ""
        for broker in self._brokers.split(",")[:_MOST_BROKERS]:
            listener = probe(broker)
            if listener is not None:
                return mismatch(listener, self._config)
        return ""


def mismatch(listener: Listener, config: Config) -> str:
    """Which setting of ``config`` does not fit ``listener``; empty if all may fit."""
    settings = dict(config)
    protocol = settings.get("security.protocol", "plaintext").upper()
    expects_login = bool(listener.mechanisms)
    if listener.mechanisms is None:
        expects_login = protocol.startswith("SASL")
    fitting = ("SASL_" if expects_login else "") + ("SSL" if listener.tls else "PLAINTEXT")
    mechanisms = ", ".join(listener.mechanisms or ())
    wanted = "TLS" if listener.tls else "no TLS"
    if listener.mechanisms is not None:
        wanted += f" and a login by {mechanisms}" if mechanisms else " and no login"
    if protocol != fitting:
        more = " and those of sasl.*" if mechanisms and not _mechanism(settings) else ""
        return (
            f"{listener.address} expects {wanted}, but security.protocol is {protocol}: "
            f"set --kafka_config security.protocol={fitting}{more}"
        )
    chosen = _mechanism(settings)
    if mechanisms and chosen and chosen.upper() not in (listener.mechanisms or ()):
        return (
            f"{listener.address} expects {wanted}, but sasl.mechanism is {chosen}: set "
            "--kafka_config sasl.mechanism"
        )
    if listener.certificate and not _has_certificate(settings):
        return (
            f"{listener.address} expects a certificate of the client: set --kafka_config "
            "ssl.certificate.location and ssl.key.location"
        )
    return ""


def probe(broker: str) -> Listener | None:
    """What the listener at ``broker`` (host and port) expects; None if nobody answers there."""
    host, _, port = broker.rpartition(":") if ":" in broker.rpartition("]")[2] else (broker, "", "")
    place = (host.strip("[]"), int(port or _PORT))
    tls = _speaks_tls(place)
    if tls is None:
        return None
    mechanisms, certificate = None, False
    try:
        with _connected(place, tls=tls) as connection:
            if tls:
                _await_refusal(connection)
            mechanisms = _mechanisms(connection)
    except ssl.SSLError as error:
        certificate = "CERTIFICATE" in (error.reason or "")
    except (OSError, ValueError):
        pass  # it is closed, or says something else
    if not tls and mechanisms is None:
        return None  # it may be anything
    return Listener(broker, tls, mechanisms, certificate)


def _mechanism(settings: Mapping[str, str]) -> str:
    return settings.get("sasl.mechanism") or settings.get("sasl.mechanisms") or ""


def _has_certificate(settings: Mapping[str, str]) -> bool:
    return any(
        name in settings
        for name in ("ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location")
    )


def _speaks_tls(place: tuple[str, int]) -> bool | None:
    """Whether TLS is spoken there; None if nobody answers."""
    try:
        with _connected(place, tls=False) as connection:
            try:
                _context().wrap_socket(connection, server_hostname=place[0]).close()
            except ssl.SSLError as error:
                return "ALERT" in (error.reason or "")  # a refusal in the language of TLS
            except OSError:
                return False
            return True
    except (OSError, ValueError, OverflowError):  # the last: there is no such port
        return None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is told, and nothing believed but this answer
    return context


@contextmanager
def _connected(place: tuple[str, int], *, tls: bool) -> Iterator[socket.socket]:
    with socket.create_connection(place, _SECONDS) as plain:
        if not tls:
            yield plain
            return
        with _context().wrap_socket(plain, server_hostname=place[0]) as connection:
            yield connection


def _await_refusal(connection: socket.socket) -> None:
    """Let a server refuse a client without a certificate: it does so after the handshake.

    Raises:
        OSError: It refuses.
    """
    connection.settimeout(_REFUSAL_SECONDS)
    with suppress(TimeoutError):
        connection.recv(1)  # otherwise it says nothing before it is asked
    connection.settimeout(_SECONDS)


def _mechanisms(connection: socket.socket) -> tuple[str, ...]:
    """The SASL mechanisms that are offered; empty if the listener expects no login.

    Raises:
        OSError: No answer.
        ValueError: It is not Kafka's.
    """
    body = struct.pack(">hhi", _SASL_HANDSHAKE, _VERSION, _CORRELATION)
    body += _text("sluice") + _text("PLAIN")
    connection.sendall(struct.pack(">i", len(body)) + body)
    (size,) = struct.unpack(">i", _exactly(connection, 4))
    if not 10 <= size <= _MOST_BYTES:
        raise ValueError("not an answer to a SASL handshake")
    answer = _exactly(connection, size)
    correlation, code, count = struct.unpack_from(">ihi", answer)
    if correlation != _CORRELATION:
        raise ValueError("an answer to another question")
    if code == _NO_SASL:
        return ()
    at, names = 10, []
    for _ in range(count):
        if at + 2 > size:
            raise ValueError("the answer ends early")
        (length,) = struct.unpack_from(">h", answer, at)
        names.append(answer[at + 2 : at + 2 + length].decode("ascii"))
        at += 2 + length
    return tuple(names)


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode("ascii")


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise OSError("the connection was closed")
        received += part
    return received
