from __future__ import annotations

import asyncio
import http.client
import socket
import urllib.error
from email.message import Message
from types import SimpleNamespace
from typing import Any

import pytest

from transforms.errors import ServiceUnavailable
from transforms.steps.unavailable import reason_of, verdict


def http_error(status: int) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("http://x", status, "no", Message(), None)


def raised_by(*names: str, **attributes: Any) -> Exception:
    """An error of a client: its class and the classes that it descends from, the nearest first."""
    base: type[Exception] = Exception
    for name in reversed(names):
        base = type(name, (base,), {})
    error = base("text")
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def answered(status: int) -> Any:
    return SimpleNamespace(status_code=status)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        ConnectionResetError(),
        BrokenPipeError(),
        asyncio.IncompleteReadError(b"HTTP/1.1", None),
        http.client.IncompleteRead(b"HTTP/1.1"),
        socket.gaierror(-2, "Name or service not known"),
        urllib.error.URLError(ConnectionRefusedError()),
        http_error(503),
        http_error(429),
        ServiceUnavailable("closed on Sundays"),
        raised_by("ConnectTimeout", "ConnectionError", "Timeout", "RequestException"),  # requests
        raised_by("HTTPError", "RequestException", response=answered(429)),
        raised_by("ConnectError", "NetworkError", "TransportError"),  # httpx
        raised_by("HTTPStatusError", "HTTPError", response=answered(503)),
        raised_by("ClientConnectorError", "ClientOSError", "ClientConnectionError"),  # aiohttp
        raised_by("ClientResponseError", "ClientError", status=503),
        raised_by(
            "MaxRetryError", "RequestError", reason=raised_by("NewConnectionError")
        ),  # urllib3
        raised_by("EndpointConnectionError", "ConnectionError", "BotoCoreError"),  # botocore
        raised_by(
            "ClientError",
            response={
                "Error": {"Code": "ThrottlingException"},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            },
        ),
    ],
)
def test_the_service_is_away(error: Exception) -> None:
    assert verdict(error) == "away"


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        urllib.error.URLError(TimeoutError("timed out")),
        raised_by("ReadTimeout", "Timeout", "RequestException"),  # requests
        raised_by("ReadTimeout", "TimeoutException", "TransportError"),  # httpx
        raised_by(
            "ServerTimeoutError", "ServerConnectionError", "ClientConnectionError"
        ),  # aiohttp
        raised_by("ReadTimeoutError", "HTTPClientError", "BotoCoreError"),  # botocore
    ],
)
def test_one_call_was_not_answered_in_time(error: Exception) -> None:
    assert verdict(error) == "timeout"


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_one_call_failed_and_may_succeed_later(status: int) -> None:
    assert verdict(http_error(status)) == "later"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("503"),
        KeyError("ConnectionError"),
        OSError("disk full"),
        http_error(404),
        http_error(400),
        raised_by("HTTPError", response=answered(401)),
        raised_by("Odd", code="503", status=None, response=None),
        raised_by("Cyclic", reason="because"),
    ],
)
def test_what_concerns_the_record_says_nothing_of_the_service(error: Exception) -> None:
    assert verdict(error) is None


def test_the_reason_holds_no_text_of_the_client() -> None:
    assert reason_of(raised_by("ConnectError")) == "ConnectError"
    assert reason_of(http_error(503)) == "HTTP 503"
    assert reason_of(ServiceUnavailable("closed\non Sundays")) == "closed on Sundays"
