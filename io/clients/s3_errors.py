"""Read errors of boto3, for sources and sinks alike, and say what they mean for a write."""

from __future__ import annotations

import re
import ssl

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSLError,
)
from urllib3.exceptions import HTTPError

from transforms.errors import SinkFailed, SinkUnavailable

FAULTS = (ClientError, BotoCoreError, HTTPError)
"""Everything that a request, or the transfer of its body, may raise."""

_MAY_PASS = frozenset({408, 409, 425, 429})
"""Statuses below 500 that another attempt may not meet."""


_NO_TLS = "WRONG_VERSION_NUMBER"
"""OpenSSL's reason where a server answers in plain text."""

_SHOWN = 200
"""How many characters of OpenSSL's own words a message takes."""


def place_of(uri: str, endpoint: str | None) -> str:
    """``uri`` and its endpoint, for messages.

    >>> place_of("s3://events/a", "http://localhost:9000")
    's3://events/a at http://localhost:9000'
    """
    return f"{uri} at {endpoint}" if endpoint else uri


def status_of(error: ClientError) -> int:
    """The HTTP status of the answer; 0 if it has none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: ClientError) -> str:
    """S3's own code for the error; empty if it gives none.

    Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    return error.response.get("Error", {}).get("Code", "")


def line_of(error: Exception) -> str:
    """The message of ``error`` on one line."""
    return " ".join(str(error).split())


def unreached(error: Exception, where: str) -> str:
    """That ``where`` cannot be reached, and why. Of TLS that is its cause, and what may be done."""
    line = f"cannot reach {where}: {type(error).__name__}"
    cause = _cause_of_tls(error)
    if cause is None:  # the texts of others name hosts and time-outs
        return line
    # [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)
    words = re.sub(r"^\[[^\]]*\] | \(_ssl\.c:\d+\)$", "", line_of(cause))[:_SHOWN]
    line += f" ({words})"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"{line}; AWS_CA_BUNDLE names a file of the authorities to trust"
    if isinstance(cause, FileNotFoundError):
        return f"{line}; AWS_CA_BUNDLE names a file that is not there"
    if isinstance(cause, ssl.SSLError) and cause.reason == _NO_TLS:
        return f"{line}; the service does not speak TLS at this port: use http://"
    return line


def is_lasting(error: Exception) -> bool:
    """Whether waiting does not heal it: the certificate is not trusted, or there is no TLS at the port."""
    cause = _cause_of_tls(error)
    if isinstance(cause, ssl.SSLError) and cause.reason == _NO_TLS:
        return True
    return isinstance(cause, (ssl.SSLCertVerificationError, FileNotFoundError))


def _cause_of_tls(error: Exception) -> OSError | None:
    """What botocore's ``SSLError`` was raised for; None if it is another error."""
    cause: object = error.kwargs.get("error") if isinstance(error, SSLError) else None
    while isinstance(cause, HTTPError) and cause.args:
        cause = cause.args[0]
    return cause if isinstance(cause, OSError) else None


def write_fault(error: Exception, what: str, uri: str, endpoint: str | None) -> Exception:
    """What one of ``FAULTS`` means for a write, in one line without secrets.

    Args:
        error: What was raised.
        what: What is written, for the message, e.g. ``dead letters``.
        uri: The bucket and prefix.
        endpoint: The address of the service, if it is not AWS.

    Returns:
        ``SinkUnavailable`` where waiting may help, otherwise ``SinkFailed``.
    """
    where = place_of(uri, endpoint)
    if isinstance(error, ClientError):
        return _refused(error, what, where)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return SinkFailed(
            f"no AWS credentials to write {what} to {where}: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, a profile or a role"
        )
    if isinstance(error, ParamValidationError):
        return SinkFailed(f"{uri} is not a valid place for {what}: {line_of(error)}")
    line = unreached(error, where)  # requests are signed in headers, not URLs
    return SinkFailed(line) if is_lasting(error) else SinkUnavailable(line)


def _refused(error: ClientError, what: str, where: str) -> Exception:
    code, status = code_of(error), status_of(error)
    # The answer to HEAD has no body, so it has a status but no code.
    if code == "NoSuchBucket" or status == 404:
        return SinkFailed(f"the bucket of {where} does not exist; create it for the {what}")
    if status in (401, 403):
        return SinkFailed(f"access to {where} is denied ({code}): check the credentials")
    line = f"S3 does not take {what} at {where}: {code or 'HTTP error'} ({status})"
    if status >= 500 or status in _MAY_PASS or code in ("SlowDown", "RequestTimeout"):
        return SinkUnavailable(line)
    return SinkFailed(line)
