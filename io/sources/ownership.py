"""Which of the sources in the ledger a URI names, without reading anything."""

from __future__ import annotations

from collections.abc import Callable

from clients.kafka.address import SCHEME as KAFKA_SCHEME
from sources.kafka import uri as kafka_uri
from sources.storage.local import LocalStorage
from sources.storage.s3 import SCHEME as S3_SCHEME
from sources.storage.s3 import S3Storage
from transforms.errors import ConfigError


def owned_by(uri: str) -> Callable[[str], bool]:
    """Whether a source of the ledger is one of those that ``uri`` names.

    It is ``owns`` of the source that reads ``uri``, for programs that read nothing: they need
    neither Beam nor the clients of Kafka and S3.

    Raises:
        ConfigError: The scheme is unknown, or the URI cannot be read.
    """
    if uri.startswith(KAFKA_SCHEME):
        return kafka_uri.parse(uri).owns
    refuse_unknown_scheme(uri)
    storage = S3Storage() if uri.startswith(S3_SCHEME) else LocalStorage()
    return lambda source: storage.matches(uri, source)


def refuse_unknown_scheme(uri: str) -> None:
    """Refuse what names neither files nor objects.

    Raises:
        ConfigError: It has another scheme than ``file`` and ``s3``.
    """
    scheme, separator, _ = uri.partition("://")
    if separator and scheme not in ("file", "s3"):
        raise ConfigError(
            f"unknown scheme {scheme!r} in {uri}; use file://, s3://, kafka:// or a path"
        )
