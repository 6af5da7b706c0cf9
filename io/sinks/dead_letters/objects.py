"""Dead letters as JSON lines in S3: an object for each delivery, named by time."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from clients.s3 import S3Settings, client
from clients.s3_errors import FAULTS, write_fault
from sinks.dead_letters.json_lines import chunks, json_line
from transforms.batch.record import Failure
from transforms.errors import ConfigError, SinkFailed


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

    def _described(self, error: Exception) -> Exception:
        return write_fault(error, "dead letters", self.uri, self.settings.endpoint_url)


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
