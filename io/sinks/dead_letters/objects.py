"""Dead letters as JSON lines in S3: an object for each delivery, named by time."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.exceptions import (
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from clients.s3 import S3Settings, client
from clients.s3_errors import FAULTS, code_of, line_of, place_of, status_of
from sinks.dead_letters.json_lines import chunks, json_line
from transforms.batch.record import Failure
from transforms.errors import ConfigError, SinkFailed, SinkUnavailable

_MAY_PASS = frozenset({408, 409, 425, 429})
"""Statuses below 500 that another attempt may not meet."""


@dataclass(frozen=True, slots=True)
class DeadLetterObjects:
    """Objects ``prefix/yyyy/mm/dd/<id>.jsonl`` in a bucket; their ids sort by time.

    The credentials need ``s3:PutObject``, and ``s3:ListBucket`` for the check.

    Attributes:
        bucket: Name of the bucket.
        prefix: Beginning of every key, without a slash at its end; may be empty.
        settings: Where S3 is.
    """

    bucket: str
    prefix: str = ""
    settings: S3Settings = S3Settings()  # noqa: RUF009 - frozen

    @property
    def uri(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def writes_to(self) -> str:
        """An example of the name under which a source would read the dead letters."""
        return f"s3://{self.bucket}/{key_of(self.prefix, datetime.now(UTC))}"

    def check(self) -> None:
        """Check that the bucket exists.

        Raises:
            ConfigError: It does not exist, or access is denied.
            SinkUnavailable: S3 cannot be reached.
        """
        try:
            client(self.settings).head_bucket(Bucket=self.bucket)
        except FAULTS as error:
            fault = self._described(error)
            raise ConfigError(str(fault)) if isinstance(fault, SinkFailed) else fault from error

    def deliver(self, target: str, failures: Sequence[Failure]) -> None:
        """Put a line for each of ``failures`` into one object, or into several beyond 16 MiB."""
        at = datetime.now(UTC)
        try:
            for chunk in chunks(json_line(target, failure, at) for failure in failures):
                client(self.settings).put_object(
                    Bucket=self.bucket,
                    Key=key_of(self.prefix, datetime.now(UTC)),
                    Body=chunk,
                    ContentType="application/x-ndjson",
                )
        except FAULTS as error:
            raise self._described(error) from error

    def _described(self, error: Exception) -> SinkFailed | SinkUnavailable:
        where = place_of(self.uri, self.settings.endpoint_url)
        if isinstance(error, ClientError):
            return _refused(error, where)
        if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
            return SinkFailed(
                f"no AWS credentials to write dead letters to {where}: set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, a profile or a role"
            )
        if isinstance(error, ParamValidationError):
            return SinkFailed(f"{self.uri} is not a valid place for dead letters: {line_of(error)}")
        # The texts of these name hosts and time-outs; requests are signed in headers, not URLs.
        return SinkUnavailable(f"cannot reach {where}: {type(error).__name__}")


def key_of(prefix: str, at: datetime, chance: int | None = None) -> str:
    """The key of a new object: the day, and a UUID of version 7 (RFC 9562, 5.7).

    Args:
        prefix: What the key begins with.
        at: Now, in UTC.
        chance: 74 random bits; drawn if None.

    >>> key_of("dead", datetime(2026, 1, 31, tzinfo=UTC), 1)
    'dead/2026/01/31/019c1159-7000-7000-8000-000000000001.jsonl'
    """
    bits = secrets.randbits(74) if chance is None else chance
    number = (int(at.timestamp() * 1000) << 80) | (7 << 76) | (bits >> 62 << 64)
    number |= (0b10 << 62) | (bits & ((1 << 62) - 1))
    name = f"{at:%Y/%m/%d}/{uuid.UUID(int=number)}.jsonl"
    return f"{prefix}/{name}" if prefix else name


def _refused(error: ClientError, where: str) -> SinkFailed | SinkUnavailable:
    code, status = code_of(error), status_of(error)
    # The answer to HEAD has no body, so it has a status but no code.
    if code == "NoSuchBucket" or status == 404:
        return SinkFailed(f"the bucket of {where} does not exist; create it for the dead letters")
    if status in (401, 403):
        return SinkFailed(f"access to {where} is denied ({code}): check the credentials")
    what = f"S3 does not take dead letters at {where}: {code or 'HTTP error'} ({status})"
    if status >= 500 or status in _MAY_PASS or code in ("SlowDown", "RequestTimeout"):
        return SinkUnavailable(what)
    return SinkFailed(what)
