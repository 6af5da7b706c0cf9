"""The S3 client of a process, for AWS and for services that speak its protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.errors import ConfigError
from transforms.per_process import PerProcess

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where S3 is. Credentials come from the AWS credential chain of the machine that uses it.

    Attributes:
        endpoint_url: Address of a service other than AWS, e.g. ``http://localhost:9000``.
        region: Overrides the region of the AWS configuration.
        connect_timeout: Seconds within which a connection must be made.
        read_timeout: Seconds without a byte.
        max_attempts: How often a failed request is tried again, with botocore's backoff before it.
    """

    endpoint_url: str | None = None
    region: str | None = None
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    max_attempts: int = 5


def client(settings: S3Settings) -> S3Client:
    """The client of this process for ``settings``; safe to use from several threads.

    Raises:
        ConfigError: The endpoint is not a URL, or the AWS configuration is broken.
    """
    return _clients.get(settings)


def _connect(settings: S3Settings) -> S3Client:
    import boto3  # takes a quarter of a second, which only S3 needs
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        retries={"mode": "standard", "max_attempts": settings.max_attempts},
        max_pool_connections=16,
        tcp_keepalive=True,
        s3={"addressing_style": "path" if settings.endpoint_url else "auto"},
        # Services other than AWS do not know the newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        return boto3.session.Session().client(
            "s3", endpoint_url=settings.endpoint_url, region_name=settings.region, config=config
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigError(f"cannot set up S3: {error}") from error


_clients = PerProcess(_connect)
