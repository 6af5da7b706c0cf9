"""How an object is stored, by its name: format, compression, delimiter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sources.files.encodings import keeps_ascii
from transforms.errors import ConfigError, ObjectFailed

AUTO = "auto"
NONE = "none"
LOOK = ""
"""The format of an object whose name does not tell it: it must be looked at."""

FORMATS = (AUTO, "jsonl", "csv", "parquet", "avro")
COMPRESSIONS = (AUTO, NONE, "gzip", "zstd", "bz2", "lz4", "snappy", "xz")

_SUFFIXES = {
    "gz": "gzip",
    "gzip": "gzip",
    "zst": "zstd",
    "zstd": "zstd",
    "bz2": "bz2",
    "lz4": "lz4",
    "sz": "snappy",
    "snappy": "snappy",
    "xz": "xz",
}
_LINES = ("jsonl", "ndjson")
_EXTENSIONS = {
    "json": "jsonl",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "tsv": "csv",
    "tab": "csv",
    "psv": "csv",
    "parquet": "parquet",
    "parq": "parquet",
    "pq": "parquet",
    "avro": "avro",
    "txt": LOOK,
    "log": LOOK,
    "": LOOK,
}
_DELIMITERS = {"tsv": "\t", "tab": "\t", "psv": "|"}
_ROTATED = re.compile(r"[0-9][0-9_-]*")
"""A number or a date at the end of a name, as rotated logs have: ``events.jsonl.1``."""


@dataclass(frozen=True, slots=True)
class StoredFormat:
    """How an object is stored.

    Attributes:
        format: ``jsonl``, ``csv``, ``parquet``, ``avro``, or ``LOOK``.
        compression: As in ``COMPRESSIONS``, or empty; Parquet compresses inside.
        delimiter: Separates the fields of CSV, going by the name.
        encoding: Of text; empty for UTF-8, or for what a byte order mark says.
        certain: Whether the user says how it is compressed; otherwise its first bytes decide.
        lines_by_name: Whether the name says that each line of JSON is a value.
    """

    format: str
    compression: str = ""
    delimiter: str = ","
    encoding: str = ""
    certain: bool = False
    lines_by_name: bool = False

    @property
    def plain(self) -> bool:
        """Whether offsets of records are offsets in the stored bytes."""
        unconverted = not self.encoding or keeps_ascii(self.encoding)
        return self.format in ("jsonl", "csv") and not self.compression and unconverted

    @property
    def divisible(self) -> bool:
        """Whether reading can begin at any byte, provided that JSON is laid out in lines."""
        return self.format == "jsonl" and self.plain


def check_format(format: str) -> None:  # noqa: A002 - the option's name
    """Refuse an unknown ``--format``.

    Raises:
        ConfigError: It is not one of ``FORMATS``.
    """
    if format not in FORMATS:
        raise ConfigError(f"unknown --format {format!r}; use {', '.join(FORMATS)}")


def check_compression(compression: str) -> None:
    """Refuse an unknown ``--compression``.

    Raises:
        ConfigError: It is not one of ``COMPRESSIONS``.
    """
    if compression not in COMPRESSIONS:
        raise ConfigError(f"unknown --compression {compression!r}; use {', '.join(COMPRESSIONS)}")


def stored_format_of(
    uri: str,
    format: str = AUTO,  # noqa: A002 - the option's name
    encoding: str = "",
    compression: str = AUTO,
) -> StoredFormat:
    """How the object at ``uri`` is stored, by its extensions and the options of their names.

    Raises:
        ObjectFailed: ``format`` is ``auto`` and the extension is that of nothing known.

    >>> stored_format_of("s3://b/events.JSONL.gz").compression
    'gzip'
    """
    stored_format = known_format_of(uri, format, encoding, compression)
    if stored_format is None:
        raise ObjectFailed(
            f"cannot tell the format of {uri} from its name; give --format", "unknown_format"
        )
    return stored_format


@lru_cache(maxsize=4_096)  # asked when an object is selected, planned and opened
def known_format_of(
    uri: str,
    format: str = AUTO,  # noqa: A002 - the option's name
    encoding: str = "",
    compression: str = AUTO,
) -> StoredFormat | None:
    """The same as ``stored_format_of``; None for an extension of nothing known."""
    name = uri[uri.rfind("/") + 1 :]
    return _by_extensions(
        name[name.find(".") :] if "." in name else "", format, encoding, compression
    )


def _extensions(text: str) -> list[str]:
    """The last two extensions of a name, lower case, without dates; ``text`` begins with a dot."""
    extensions = _without_dates(text.lower().split(".")[1:])
    if len(extensions) > 1 and extensions[-1] in _SUFFIXES:
        extensions = [*_without_dates(extensions[:-1]), extensions[-1]]
    return extensions[-2:]


def _without_dates(extensions: list[str]) -> list[str]:
    while extensions and extensions[-1][:1].isdigit() and _ROTATED.fullmatch(extensions[-1]):
        extensions.pop()
    return extensions


@lru_cache(maxsize=256)
def _by_extensions(
    text: str,
    format: str,  # noqa: A002 - the option's name
    encoding: str,
    compression: str,
) -> StoredFormat | None:
    *before, extension = ("", *_extensions(text))
    suffix = _SUFFIXES.get(extension, "")
    if suffix:
        extension = before[-1] if before else ""
    certain = compression != AUTO
    if certain:
        suffix = "" if compression == NONE else compression
    if format == AUTO:
        if extension not in _EXTENSIONS:
            return None
        format = _EXTENSIONS[extension]  # noqa: A001
    if format == "parquet":
        return StoredFormat("parquet")
    delimiter = _DELIMITERS.get(extension, ",")
    lines_by_name = format == "jsonl" and extension in _LINES
    return StoredFormat(format, suffix, delimiter, encoding, certain, lines_by_name)
