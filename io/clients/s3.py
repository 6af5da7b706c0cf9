"""The S3 client of a process, for AWS and for services that speak its protocol."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.errors import ConfigError
from transforms.per_process import PerProcess
from transforms.secret_urls import refuse_secrets

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


CREDENTIALS = (
    "credentials for S3 come from the AWS chain: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile "
    "or a role"
)
"""Where to write what no URI takes."""


def refuse_credentials(uri: str) -> None:
    """Refuse an ``s3://`` URI with a key or a secret in it, without repeating any of it.

    Raises:
        ConfigError: It has one, or its bucket is not the name of one.
    """
    refuse_secrets("an s3:// URI", uri, CREDENTIALS)
    bucket = uri.removeprefix("s3://").partition("/")[0]
    if re.search(r"[:@%]", bucket):  # KEY:SECRET@bucket, and a secret may contain a slash
        raise ConfigError(f"an s3:// URI takes no user, password or key: {CREDENTIALS}")


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where S3 is. Credentials come from the AWS credential chain of the machine that uses it.

    Attributes:
        endpoint_url: Address of a service other than AWS, e.g. ``http://localhost:9000``.
        region: Overrides the region of the AWS configuration.
        connect_timeout: Seconds within which a connection must be made.
        read_timeout: Seconds without a byte.
        max_attempts: How often a failed request is tried again, with botocore's backoff before it.

    Raises:
        ConfigError: The address contains credentials.
    """

    endpoint_url: str | None = None
    region: str | None = None
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    max_attempts: int = 5

    def __post_init__(self) -> None:
        address = self.endpoint_url or ""
        refuse_secrets("--s3_endpoint_url", address, CREDENTIALS)
        if "://" not in address and "@" in address:
            raise ConfigError(f"--s3_endpoint_url takes no user, password or key: {CREDENTIALS}")


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
