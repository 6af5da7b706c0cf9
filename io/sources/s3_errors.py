"""What an error of boto3 means to a reader: the object failed, S3 is away, or the options are wrong."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from urllib3.exceptions import HTTPError

from transforms.errors import ConfigError, ObjectFailed, SluiceError, SourceUnavailable

FAULTS = (ClientError, BotoCoreError, HTTPError)
"""Whatever a request or the transfer of its body may raise."""


def described(error: Exception, uri: str, endpoint: str | None) -> SluiceError:
    """The error of this project that ``error`` (one of ``FAULTS``) means for ``uri``.

    Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    where = f"{uri} at {_without_credentials(endpoint)}" if endpoint else uri
    if isinstance(error, ClientError):
        return _refused(error, uri, where)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return SourceUnavailable(
            f"no AWS credentials to read {where}: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, a profile or a role"
        )
    if isinstance(error, ParamValidationError):
        return ConfigError(f"{uri} is no valid S3 URI: {_line(error)}")
    # The texts of these name hosts and time-outs; requests are signed in headers, not URLs.
    return SourceUnavailable(f"cannot reach {where}: {type(error).__name__}")


def is_beyond_end(error: Exception) -> bool:
    """Whether a range was asked for that begins at or after the end of the object."""
    return isinstance(error, ClientError) and _status(error) == 416


def _refused(error: ClientError, uri: str, where: str) -> SluiceError:
    code = error.response.get("Error", {}).get("Code", "")
    status = _status(error)
    if status == 412:
        return ObjectFailed(f"{uri} changed after it was listed", "object_changed")
    if code == "NoSuchBucket":
        return ConfigError(f"the bucket of {where} does not exist")
    if code == "InvalidObjectState":
        return ObjectFailed(f"{uri} is archived; restore it, then replay", "object_missing")
    if status == 404:
        return ObjectFailed(f"{uri} is gone", "object_missing")
    if status in (401, 403):
        return SourceUnavailable(f"access to {where} is denied ({code}): check the credentials")
    return SourceUnavailable(f"S3 does not serve {where}: {code or 'HTTP error'} ({status})")


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _without_credentials(endpoint: str) -> str:
    scheme, separator, rest = endpoint.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else endpoint


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
