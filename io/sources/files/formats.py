"""How an object is stored, by its name: format, compression, delimiter."""

from __future__ import annotations

from dataclasses import dataclass

from sources.files.encodings import is_single_byte
from transforms.errors import ConfigError, ObjectFailed

AUTO = "auto"
FORMATS = (AUTO, "jsonl", "csv", "parquet")

_COMPRESSIONS = {"gz": "gzip", "gzip": "gzip", "zst": "zstd", "zstd": "zstd", "bz2": "bz2"}
_LINES = ("jsonl", "ndjson")
_EXTENSIONS = {
    "json": "jsonl",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "tsv": "csv",
    "parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class StoredFormat:
    """How an object is stored.

    Attributes:
        format: ``jsonl``, ``csv`` or ``parquet``.
        compression: ``gzip``, ``zstd``, ``bz2`` or empty; Parquet compresses inside.
        delimiter: Separates the fields of CSV, going by the name.
        encoding: Of text; empty for UTF-8, or for what a byte order mark says.
        lines_by_name: Whether the name says that each line of JSON is a value.
    """

    format: str
    compression: str = ""
    delimiter: str = ","
    encoding: str = ""
    lines_by_name: bool = False

    @property
    def plain(self) -> bool:
        """Whether offsets of records are offsets in the stored bytes."""
        unconverted = not self.encoding or is_single_byte(self.encoding)
        return self.format != "parquet" and not self.compression and unconverted

    @property
    def divisible(self) -> bool:
        """Whether reading can begin at any byte, provided that JSON is laid out in lines."""
        return self.format == "jsonl" and self.plain


def check_format(format: str) -> None:  # noqa: A002 - the option's name
    """Refuse an unknown ``--format``.

    Raises:
        ConfigError: It is not one of ``auto``, ``jsonl``, ``csv``, ``parquet``.
    """
    if format not in FORMATS:
        raise ConfigError(f"unknown --format {format!r}; use {', '.join(FORMATS)}")


def stored_format_of(
    uri: str,
    format: str = AUTO,  # noqa: A002 - the option's name
    encoding: str = "",
) -> StoredFormat:
    """How the object at ``uri`` is stored, by its extensions, ``--format`` and ``--encoding``.

    Raises:
        ObjectFailed: ``format`` is ``auto`` and the extension is unknown.

    >>> stored_format_of("s3://b/events.JSONL.gz")
    StoredFormat(format='jsonl', compression='gzip', delimiter=',', encoding='', lines_by_name=True)
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
        return StoredFormat("parquet")
    delimiter = "\t" if extension == "tsv" else ","
    lines_by_name = format == "jsonl" and extension in _LINES
    return StoredFormat(format, compression, delimiter, encoding, lines_by_name)
