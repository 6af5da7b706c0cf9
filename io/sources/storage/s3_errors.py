"""What an error of boto3 means for a reader: a failed object, an outage, or wrong options."""

from __future__ import annotations

from botocore.exceptions import (
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from clients.s3_errors import code_of, is_lasting, line_of, place_of, status_of, unreached
from transforms.errors import (
    ConfigError,
    ObjectFailed,
    ObjectUnavailable,
    SluiceError,
    SourceRefused,
    SourceUnavailable,
)

_OF_CREDENTIALS = {
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "ExpiredToken"),
    *("InvalidToken", "TokenRefreshRequired", "AccountProblem", "AllAccessDisabled", "NotSignedUp"),
}
"""Codes of a refusal that has nothing to do with the object."""


def described(
    error: Exception, uri: str, endpoint: str | None, *, of_object: bool = False
) -> SluiceError:
    """The error of this project that ``error`` (one of ``FAULTS``) means for ``uri``.

    Args:
        error: What boto3 raised.
        uri: An object, or the glob that was listed.
        endpoint: Address of a service other than AWS.
        of_object: Whether one object was to be read. A refusal then concerns it alone.
    """
    where = place_of(uri, endpoint)
    if isinstance(error, ClientError):
        if of_object and (reason := _why_unavailable(error)):
            return ObjectUnavailable(f"cannot read {where}: {reason}")
        return _refused(error, uri, where)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        # Credentials that expire and cannot be renewed are another error: waiting heals nothing here.
        return ConfigError(
            f"no AWS credentials to read {where}: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, a profile or a role"
        )
    if isinstance(error, ParamValidationError):
        return ConfigError(f"{uri} is not a valid S3 URI: {line_of(error)}")
    line = unreached(error, where)  # without secrets: headers are signed, not URLs
    return SourceRefused(line) if is_lasting(error) else SourceUnavailable(line)


def is_beyond_end(error: Exception) -> bool:
    """Whether the range that was requested begins at or after the end of the object."""
    return isinstance(error, ClientError) and status_of(error) == 416


def _why_unavailable(error: ClientError) -> str:
    """Why this object cannot be read now although others may be; empty for any other error."""
    code, status = code_of(error), status_of(error)
    if code == "InvalidObjectState":
        return "it is archived; restore it, then run again"
    if status == 403 and code not in _OF_CREDENTIALS:
        return f"access is denied ({code})"
    if status == 400 and (code.startswith("KMS.") or code == "InvalidRequest"):
        return f"it cannot be decrypted ({code})"
    return ""


def _refused(error: ClientError, uri: str, where: str) -> SluiceError:
    code = code_of(error)
    status = status_of(error)
    if status == 412:
        return ObjectFailed(f"{uri} changed after it was listed", "object_changed")
    if code == "NoSuchBucket":
        return ConfigError(f"the bucket of {where} does not exist")
    if status == 404:
        return ObjectFailed(f"{uri} is gone", "object_missing")
    if status in (401, 403) or code in _OF_CREDENTIALS:
        return SourceRefused(f"access to {where} is denied ({code}): check the credentials")
    return SourceUnavailable(f"S3 does not serve {where}: {code or 'HTTP error'} ({status})")
