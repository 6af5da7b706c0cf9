"""The names of S3 objects: ``s3://bucket/key``, and globs of them."""

from __future__ import annotations

from clients.s3 import refuse_credentials
from sources.storage.globs import is_wild, matcher
from transforms.errors import ConfigError

SCHEME = "s3://"


def matches(glob: str, uri: str) -> bool:
    """Whether ``glob`` stands for the object named ``uri``."""
    if not uri.startswith(SCHEME):
        return False
    (globs_bucket, pattern), (bucket, key) = bucket_and_key(glob), bucket_and_key(uri)
    return globs_bucket == bucket and (
        key == pattern or matcher(pattern).fullmatch(key) is not None
    )


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The bucket and the key (or glob) that ``uri`` names.

    Raises:
        ConfigError: One of them is missing, or the URI contains credentials.

    >>> bucket_and_key("s3://events/2026/*.jsonl")
    ('events', '2026/*.jsonl')
    """
    refuse_credentials(uri)
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    if not bucket or is_wild(bucket):
        raise ConfigError(f"{uri} names no bucket; write s3://bucket/prefix/*.jsonl")
    if not key or (key.endswith("/") and not is_wild(key)):
        raise ConfigError(f"{uri} is a folder; add a glob, e.g. {uri.rstrip('/')}/*")
    return bucket, key
