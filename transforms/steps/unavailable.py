"""What an exception of a client says of the service that it has called.

Clients are recognised by the names of their classes and by the status that their errors carry, so none
of them is imported: requests, urllib3, httpx, aiohttp, botocore, and the standard library.
"""

from __future__ import annotations

from typing import Literal

from transforms.errors import ServiceUnavailable

Verdict = Literal["away", "timeout", "later"]
"""``away``: the service does not answer, or asks to be left alone. ``timeout``: it has not answered this
call in time. ``later``: it failed at this call, and may succeed at it later."""

_AWAY = frozenset(
    {
        "ServiceUnavailable",
        # the standard library, requests, botocore, redis
        *("ConnectionError", "gaierror", "RemoteDisconnected", "ConnectTimeout"),
        *("IncompleteRead", "IncompleteReadError"),  # closed in the middle of an answer
        # urllib3
        *("NewConnectionError", "ConnectTimeoutError", "NameResolutionError", "ProtocolError"),
        *("ClosedPoolError", "ProxyError"),
        # httpx, httpcore
        *("NetworkError", "RemoteProtocolError", "ConnectError"),
        # aiohttp
        *("ClientConnectionError", "ServerDisconnectedError", "ConnectionTimeoutError"),
        "ClientPayloadError",
        # botocore
        *("EndpointConnectionError", "ConnectionClosedError", "EndpointProviderError"),
    }
)
_TIMEOUT = frozenset(
    {
        *("TimeoutError", "Timeout", "ReadTimeout", "TimeoutException", "ReadTimeoutError"),
        *("SocketTimeoutError", "ServerTimeoutError"),
    }
)
_AWAY_STATUS = frozenset({429, 503})
_LATER_STATUS = frozenset({408, 425, 500, 502, 504, *range(520, 528)})
_AWAY_CODES = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException"),
        *("RequestLimitExceeded", "SlowDown", "ServiceUnavailable", "RequestThrottled"),
    }
)
"""Codes of AWS that ask to be left alone, with other statuses than 429 and 503."""

_DEPTH = 5


def verdict(error: BaseException) -> Verdict | None:
    """What ``error`` says of the service; None if it says nothing.

    >>> verdict(ConnectionRefusedError()), verdict(TimeoutError()), verdict(ValueError())
    ('away', 'timeout', None)
    """
    for _ in range(_DEPTH):
        status = status_of(error)
        if status in _AWAY_STATUS or _aws_code(error) in _AWAY_CODES:
            return "away"
        if status is not None:
            return "later" if status in _LATER_STATUS else None
        names = [kind.__name__ for kind in type(error).__mro__]
        for name in names:  # the most special class decides
            if name in _AWAY:
                return "away"
            if name in _TIMEOUT:
                return "timeout"
        reason = getattr(error, "reason", None)  # urllib's URLError, urllib3's MaxRetryError
        if not isinstance(reason, BaseException):
            return None
        error = reason
    return None


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error of a client carries, or None."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        response = response.get("ResponseMetadata")
        status = response.get("HTTPStatusCode") if isinstance(response, dict) else None
        return _number(status)
    for holder in (response, error):
        for name in ("status_code", "status", "code"):
            status = _number(getattr(holder, name, None))
            if status is not None:
                return status
    return None


def _aws_code(error: BaseException) -> object:
    response = getattr(error, "response", None)
    details = response.get("Error") if isinstance(response, dict) else None
    return details.get("Code") if isinstance(details, dict) else None


def _number(status: object) -> int | None:
    if isinstance(status, int) and not isinstance(status, bool) and 400 <= status <= 599:
        return int(status)
    return None


def reason_of(error: BaseException) -> str:
    """Why the service is away, in a few words without a record: the class, and the status if any."""
    status = status_of(error)
    if status is not None:
        return f"HTTP {status}"
    if isinstance(error, ServiceUnavailable) and str(error):
        return " ".join(str(error).split())[:200]
    return type(error).__name__
