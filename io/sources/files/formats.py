"""Tell from its name how an object is stored: format, compression, delimiter."""

from __future__ import annotations

from dataclasses import dataclass

from sources.files.encodings import is_single_byte
from transforms.errors import ConfigError, ObjectFailed

AUTO = "auto"
FORMATS = (AUTO, "jsonl", "csv", "parquet")

_COMPRESSIONS = {"gz": "gzip", "gzip": "gzip", "zst": "zstd", "zstd": "zstd", "bz2": "bz2"}
_EXTENSIONS = {
    "json": "jsonl",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "tsv": "csv",
    "parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class Storing:
    """How an object is stored.

    Attributes:
        format: ``jsonl``, ``csv`` or ``parquet``.
        compression: ``gzip``, ``zstd``, ``bz2`` or empty; Parquet compresses inside.
        delimiter: Between the fields of CSV, as far as the name says.
        encoding: Of text; empty for UTF-8, or for what a mark at the start says.
    """

    format: str
    compression: str = ""
    delimiter: str = ","
    encoding: str = ""

    @property
    def plain(self) -> bool:
        """Whether offsets of records are offsets in the stored bytes."""
        same = not self.encoding or is_single_byte(self.encoding)
        return self.format != "parquet" and not self.compression and same

    @property
    def divisible(self) -> bool:
        """Whether reading can begin at any byte: plain lines only."""
        return self.format == "jsonl" and self.plain


def check_format(format: str) -> None:  # noqa: A002 - the option's name
    """Refuse a ``--format`` that is none.

    Raises:
        ConfigError: It is not one of ``auto``, ``jsonl``, ``csv``, ``parquet``.
    """
    if format not in FORMATS:
        raise ConfigError(f"unknown --format {format!r}; use {', '.join(FORMATS)}")


def storing_of(
    uri: str,
    format: str = AUTO,  # noqa: A002 - the option's name
    encoding: str = "",
) -> Storing:
    """How the object at ``uri`` is stored, by its extensions, ``--format`` and ``--encoding``.

    Raises:
        ObjectFailed: ``format`` is ``auto`` and the extension says nothing.

    >>> storing_of("s3://b/events.JSONL.gz")
    Storing(format='jsonl', compression='gzip', delimiter=',', encoding='')
    """
    name = uri.rsplit("/", 1)[-1].lower()
    stem, _, extension = name.rpartition(".")
    compression = _COMPRESSIONS.get(extension, "")
    if compression:
        extension = stem.rpartition(".")[2]
    if format == AUTO:
        if extension not in _EXTENSIONS or "." not in name:
            raise ObjectFailed(
                f"cannot tell the format of {uri} from its name; give --format", "unknown_format"
            )
        format = _EXTENSIONS[extension]  # noqa: A001
    if format == "parquet":
        return Storing("parquet")
    return Storing(format, compression, "\t" if extension == "tsv" else ",", encoding)
