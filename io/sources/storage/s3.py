"""Objects of S3, and of services that speak its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import sleep

from clients.s3 import S3Settings, client
from clients.s3_errors import FAULTS
from sources.storage import s3_names
from sources.storage.globs import is_wild, literal_prefix, matcher
from sources.storage.objects import HIDDEN, StoredObject
from sources.storage.s3_errors import described, is_beyond_end
from sources.storage.s3_names import SCHEME, bucket_and_key
from transforms.batch.backoff import Backoff
from transforms.errors import ConfigError, SourceUnavailable

_BLOCK_BYTES = 8 << 20
_PAGE_KEYS = 1_000
_BODY_ATTEMPTS = 5
_BACKOFF = Backoff(base=0.2, cap=5.0)


@dataclass(frozen=True, slots=True)
class S3Storage:
    """Objects of S3 by ``s3://bucket/key``; the key is taken literally, without decoding."""

    settings: S3Settings = S3Settings()  # noqa: RUF009 - frozen

    def list(self, glob: str) -> Iterator[StoredObject]:
        """Every object whose key matches the glob, in the order of keys.

        Only keys with the glob's start, up to its first wildcard, are listed. Keys that end in a
        slash are markers of folders, not objects. Hidden names (``globs.matcher``) are passed over.
        """
        bucket, pattern = bucket_and_key(glob)
        wild = is_wild(pattern)
        matched = False
        visible, any_name = matcher(pattern, hidden=False), matcher(pattern)
        for key, stored in self._listed(bucket, literal_prefix(pattern), glob, few=not wild):
            if visible.fullmatch(key) if wild else key == pattern:
                matched = True
                yield stored
            elif wild and any_name.fullmatch(key):
                yield replace(stored, passed_over=HIDDEN)
        if not (matched or wild) and any(self._listed(bucket, f"{pattern}/", glob, few=True)):
            raise ConfigError(f"{glob} is a folder; add a glob, e.g. {glob}/*")

    def matches(self, glob: str, uri: str) -> bool:
        """Whether ``glob`` stands for the object named ``uri``."""
        return s3_names.matches(glob, uri)

    def open(self, uri: str, version: str) -> S3Object:
        """Open the object at ``uri``; the first read sends the first request."""
        return S3Object(self.settings, uri, version)

    def _listed(
        self, bucket: str, prefix: str, glob: str, *, few: bool
    ) -> Iterator[tuple[str, StoredObject]]:
        """Objects that begin with ``prefix``, page by page; only the first two if ``few``."""
        try:
            pages = (
                client(self.settings)
                .get_paginator("list_objects_v2")
                .paginate(
                    Bucket=bucket,
                    Prefix=prefix,
                    PaginationConfig={"PageSize": 2, "MaxItems": 2}
                    if few
                    else {"PageSize": _PAGE_KEYS},
                )
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    key = entry["Key"]
                    if not key.endswith("/"):
                        uri = f"{SCHEME}{bucket}/{key}"
                        yield key, StoredObject(uri, entry["ETag"].strip('"'), entry["Size"])
        except FAULTS as error:
            raise described(error, glob, self.settings.endpoint_url) from error


class S3Object:
    """One version of an object: every request asks for its ETag."""

    def __init__(self, settings: S3Settings, uri: str, version: str) -> None:
        self._settings = settings
        self._uri = uri
        self._version = version
        self._content_encoding = ""
        self._bucket, self._key = bucket_and_key(uri)

    @property
    def block_bytes(self) -> int:
        """8 MiB: so large that the latency of a request does not matter."""
        return _BLOCK_BYTES

    @property
    def distant(self) -> bool:
        """Yes: each request has latency."""
        return True

    @property
    def content_encoding(self) -> str:
        """The object's ``Content-Encoding``."""
        return self._content_encoding

    def read_at(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset`` of the pinned version, by one ranged GET.

        botocore retries the request but not the transfer of its body, which this method tries
        five times.
        """
        attempt = 1
        while True:
            try:
                return self._get(offset, length)
            except FAULTS as error:
                if is_beyond_end(error):
                    return b""
                endpoint = self._settings.endpoint_url
                fault = described(error, self._uri, endpoint, of_object=True)
                transferring = not hasattr(error, "response")
                unavailable = isinstance(fault, SourceUnavailable)
                if not (transferring and unavailable) or attempt >= _BODY_ATTEMPTS:
                    raise fault from error
            sleep(_BACKOFF.delay(attempt))
            attempt += 1

    def close(self) -> None:
        """Does nothing: the connection is back in the client's pool."""

    def _get(self, offset: int, length: int) -> bytes:
        response = client(self._settings).get_object(
            Bucket=self._bucket,
            Key=self._key,
            Range=f"bytes={offset}-{offset + length - 1}",
            IfMatch=f'"{self._version}"',
        )
        self._content_encoding = response.get("ContentEncoding", "")
        with response["Body"] as body:
            return body.read()
