"""Requests over HTTP with a bounded time and a bounded answer."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, Timeout

from transforms.errors import ConfigError, ServiceUnavailable

MOST_BYTES = 4 << 20
"""The longest answer that is read."""

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 4.0
_WHOLE_SECONDS = 10.0
_PART_BYTES = 64 << 10
_OF_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class AnswerTooLong(Exception):
    """An answer has more than ``MOST_BYTES``."""


def pool_of(settings: Mapping[str, str]) -> urllib3.PoolManager:
    """The connections of one process.

    Args:
        settings: With ``ssl.ca.location`` and the like, where they are needed.

    Raises:
        ConfigError: A file of certificates cannot be read.
    """
    return urllib3.PoolManager(
        num_pools=4,
        maxsize=2,
        timeout=Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
        # Once more for a connection that the other side has closed meanwhile; whoever calls waits longer.
        retries=Retry(total=1, connect=0, redirect=0, status=0, other=0, raise_on_redirect=False),
        ssl_context=_tls(settings),
    )


def _tls(settings: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.get("ssl.ca.location"))
        certificate = settings.get("ssl.certificate.location")
        if certificate is not None:
            context.load_cert_chain(
                certificate,
                settings.get("ssl.key.location"),
                settings.get("ssl.key.password") or "",
            )
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(
            f"--schema_registry_config: a file of ssl.… cannot be read: {reason}"
        ) from error
    return context


def request(
    pool: urllib3.PoolManager,
    method: str,
    url: str,
    headers: Mapping[str, str],
    fields: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """The status and the body of an answer.

    Raises:
        ServiceUnavailable: There is none; says why in a few words, without the URL.
        AnswerTooLong: It is longer than ``MOST_BYTES``.
    """
    try:
        answer = pool.request(
            method,
            url,
            headers={**headers, **({} if fields is None else _OF_FORM)},
            body=None if fields is None else urlencode(fields),
            preload_content=False,
        )
        try:
            body = _body(answer)
        except BaseException:
            answer.close()
            raise
        answer.release_conn()
    except HTTPError as error:
        reason = getattr(error, "reason", None)
        raise ServiceUnavailable(type(reason or error).__name__) from error
    return int(answer.status), body


def _body(answer: urllib3.BaseHTTPResponse) -> bytes:
    """All that the other side sends, if it is not too long and does not take too long."""
    until = time.monotonic() + _WHOLE_SECONDS
    body = bytearray()
    while part := answer.read1(_PART_BYTES):
        body += part
        if len(body) > MOST_BYTES:
            raise AnswerTooLong
        if time.monotonic() > until:
            raise ServiceUnavailable(f"the answer takes longer than {_WHOLE_SECONDS:.0f} s")
    return bytes(body)
