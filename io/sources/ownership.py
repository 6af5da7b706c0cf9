"""Which of the sources in the ledger a URI names, without reading anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from clients.kafka.address import SCHEME as KAFKA_SCHEME
from clients.s3 import refuse_credentials
from sources.kafka import uri as kafka_uri
from sources.storage import s3_names
from sources.storage.local import SCHEME as LOCAL_SCHEME
from sources.storage.local import LocalStorage, path_of
from transforms.errors import ConfigError
from transforms.secret_urls import refuse_secrets, refuse_single_slash


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
    matches = s3_names.matches if uri.startswith(s3_names.SCHEME) else LocalStorage().matches
    return partial(matches, uri)


def names(text: str, source: str) -> bool:
    """Whether ``text`` names ``source`` of the ledger, as it is or by the URI of an ingest."""
    if text == source:
        return True
    try:
        return owned_by(text)(source)
    except ConfigError:  # a name of the ledger, ``kafka://topic``, is no URI
        return False


TOPICS = f"{KAFKA_SCHEME}*"
"""A pattern of the names that topics have in the ledger."""


def pattern_of(uri: str) -> str:
    """A pattern of the names that what ``uri`` names has in the ledger, with ``*`` for any text.

    It is a rough one, for grouping: a glob may match less than its pattern.

    Raises:
        ConfigError: As ``owned_by``.

    >>> pattern_of("s3://events/2026-0[1-6]/**/*.jsonl")
    's3://events/2026-0*/**.jsonl'
    """
    if uri.startswith(KAFKA_SCHEME):
        return TOPICS
    refuse_unknown_scheme(uri)
    name = uri if uri.startswith(s3_names.SCHEME) else LOCAL_SCHEME + path_of(uri)
    return _WILD.sub("*", name)


def beginning_of(uri: str) -> str:
    """A pattern that every name matches that ``uri`` has in the ledger, with ``*`` for any text.

    It ends before whatever the ledger may spell in another way.

    Raises:
        ConfigError: As ``owned_by``.

    >>> beginning_of("s3://events/2026 (old)/*.jsonl"), beginning_of("/data/a.jsonl")
    ('s3://events/2026*', 'file:///data/a.jsonl*')
    """
    refuse_unknown_scheme(uri)
    name = uri if uri.startswith(s3_names.SCHEME) else LOCAL_SCHEME + path_of(uri)
    return f"{_PLAIN.match(name)[0]}*"  # type: ignore[index]  # matches any text


_PLAIN = re.compile(r"[\w.~/:=-]*", re.ASCII)
_WILD = re.compile(r"\*\*/|\*+|\?|\[[^/]*?\]")


def refuse_unknown_scheme(uri: str) -> None:
    """Refuse what names neither files nor objects.

    Raises:
        ConfigError: It has another scheme than ``file`` and ``s3``, is empty, or contains credentials.
    """
    if not uri.strip():
        raise ConfigError("a --source is empty; write a path, s3://bucket/… or kafka://host:port/…")
    scheme, separator, _ = uri.partition("://")
    if separator and scheme not in ("file", "s3"):
        # The URI is not quoted: it may contain a password.
        raise ConfigError(
            f"unknown scheme {scheme!r} in a --source; use file://, s3://, kafka:// or a path"
        )
    if scheme == "s3":
        refuse_credentials(uri)
    else:
        refuse_single_slash("a --source", uri)
        refuse_secrets("a --source", uri, "a file needs none")
