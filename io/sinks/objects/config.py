"""What the object sink is told: which bucket or folder, which format, which partition folders."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import Literal, cast, get_args
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from clients.s3 import CREDENTIALS, S3Settings, refuse_credentials
from transforms.errors import ConfigError
from transforms.secret_urls import refuse_secrets

ObjectFormat = Literal["parquet", "jsonl.gz"]

SCHEMES = ("s3", "file")
"""Schemes of the URIs of objects as a sink."""

_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_PARAMETERS = ("format", "partition")
_LONGEST = 200  # characters of a bucket and prefix: they are a part of labels in the database


@dataclass(frozen=True, slots=True)
class ObjectConfig:
    """Where and how objects are written. Picklable, without secrets.

    Attributes:
        url: ``s3://bucket/prefix`` or ``file:///folder``, without a slash at its end: the label of
            the sink in the tables of its state.
        format: ``parquet`` or ``jsonl.gz``.
        partition: The levels of the partition folders, as ``encoding.partition`` reads them: ``month``,
            ``day`` or ``hour`` of the event time, ``day:FIELD``, and fields. Empty for no folders.
        dataset: The folder of the dataset below the prefix; empty for the prefix itself.
        settings: Where S3 is.
    """

    url: str
    format: ObjectFormat = "parquet"
    partition: str = ""
    dataset: str = ""
    settings: S3Settings = field(default_factory=S3Settings)

    def __post_init__(self) -> None:
        if self.dataset and not _DATASET.fullmatch(self.dataset):
            raise ConfigError(
                f"{self.dataset!r} is not a folder of objects; write letters, digits, '.', '_' and "
                "'-', beginning with a letter or a digit"
            )

    @classmethod
    def of(
        cls,
        uri: str,
        dataset: str = "",
        *,
        endpoint_url: str | None = None,
        settings: S3Settings | None = None,
    ) -> ObjectConfig:
        """The configuration that a URI names. Does no I/O.

        Args:
            uri: ``s3://bucket[/prefix]`` or ``file:///folder`` (percent-encoded), with parameters:
                ``format=parquet|jsonl.gz`` and ``partition=day,FIELD,…``.
            dataset: The folder of the dataset below the prefix; empty for the prefix itself.
            endpoint_url: Address of an S3 service other than AWS.
            settings: All settings of S3, in place of ``endpoint_url``.

        Raises:
            ConfigError: The URI has another scheme, a parameter that there is not, a value that
                does not fit, or a secret.
        """
        place, question, query = uri.partition("?")
        scheme, separator, rest = place.partition("://")
        if not separator or scheme not in SCHEMES:
            raise ConfigError(
                "objects are written to s3://bucket/prefix or file:///folder, and the scheme of this "
                f"URI is {scheme if separator else 'missing'}"
            )
        if scheme == "s3":
            refuse_credentials(place)
            refuse_secrets("an s3:// URI", uri, CREDENTIALS)
            url = _bucket(place)
        else:
            refuse_secrets("a file:// URI", uri, "a folder needs none")
            url = _folder(place, rest)
        if len(url) > _LONGEST or url.endswith("."):
            raise ConfigError(
                f"{url} cannot be the name of a sink: {_LONGEST} characters at most, no point at its end"
            )
        parameters = _parameters(url, query if question else "")
        return cls(
            url=url,
            format=_format(url, parameters.get("format", "parquet")),
            partition=_partition(url, parameters.get("partition")),
            dataset=dataset,
            settings=settings or S3Settings(endpoint_url=endpoint_url),
        )

    @property
    def label(self) -> str:
        """The name of the dataset where it is the pipeline's own: the URL of its folder.

        Examples:
            >>> ObjectConfig("s3://lake/raw", dataset="orders").label
            's3://lake/raw/orders'
        """
        return f"{self.url}/{self.dataset}" if self.dataset else self.url

    @property
    def bucket(self) -> str:
        """The bucket; only where the scheme is ``s3``."""
        return self.url.removeprefix("s3://").partition("/")[0]

    @property
    def prefix(self) -> str:
        """What the keys of all objects begin with, up to a slash; empty for the whole bucket."""
        prefix = self.url.removeprefix("s3://").partition("/")[2]
        return f"{prefix}/" if prefix else ""

    @property
    def folder(self) -> str | None:
        """The absolute path of the folder; None where the scheme is ``s3``."""
        if not self.url.startswith("file://"):
            return None
        return os.fsdecode(unquote_to_bytes(self.url.removeprefix("file://"))) or "/"

    def of_dataset(self, dataset: str) -> ObjectConfig:
        """The same for another dataset.

        Raises:
            ConfigError: It cannot be the name of a folder.
        """
        return replace(self, dataset=dataset)


def _bucket(place: str) -> str:
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    if not bucket:
        raise ConfigError(f"{place} names no bucket; write s3://bucket/prefix")
    signs = sorted(set("*?[]{}#") & set(place))
    if signs:
        raise ConfigError(f"{place} is not a place for objects: it has {' '.join(signs)}")
    if any(part in ("", ".", "..") for part in prefix.split("/") if prefix):
        raise ConfigError(f"{place} has an empty part, '.' or '..'; write s3://bucket/prefix")
    return f"s3://{bucket}/{prefix}".rstrip("/")


def _folder(place: str, rest: str) -> str:
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost") or not slash:
        raise ConfigError(f"{place} is not a folder of this machine; write file:///folder")
    folder = os.path.normpath(unquote_to_bytes(f"/{path}"))
    if folder == b"/" or b"\0" in folder:
        raise ConfigError(f"{place} is not a folder for objects; write file:///folder")
    return f"file://{quote(folder)}"


def _parameters(url: str, query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ConfigError(f"{url} has parameters that cannot be read; write ?name=value") from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in _PARAMETERS:
            raise ConfigError(
                f"{url} has an unknown parameter {name!r}; there are {', '.join(_PARAMETERS)}"
            )
        if name in values:
            raise ConfigError(f"{url} has the parameter {name} twice")
        values[name] = value
    return values


def _format(url: str, text: str) -> ObjectFormat:
    if text not in get_args(ObjectFormat):
        allowed = " or ".join(get_args(ObjectFormat))
        raise ConfigError(f"{url}: format must be {allowed}, got {text!r}")
    return cast(ObjectFormat, text)


def _partition(url: str, text: str | None) -> str:
    if text is None:
        return ""
    names = [name.strip() for name in text.split(",")]
    if "" in names or len(set(names)) != len(names):
        raise ConfigError(
            f"{url}: partition must be distinct names, e.g. partition=day,type, got {text!r}"
        )
    return ",".join(names)
