"""What the first bytes of an object say about it."""

from __future__ import annotations

import re
import struct

from transforms.errors import ObjectFailed

HEAD_BYTES = 32
"""How many bytes it takes to tell a compression."""

PARQUET = b"PAR1"
AVRO = b"Obj\x01"

_COMPRESSIONS = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "bz2": re.compile(rb"BZh[1-9](?:\x31\x41\x59\x26\x53\x59|\x17\x72\x45\x38\x50\x90)"),
    "lz4": re.compile(rb"\x04\x22\x4d\x18"),
    "snappy": re.compile(rb"\xff\x06\x00\x00sNaPpY"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
}
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
"""A frame without data, in zstd (RFC 8878, 3.1.2) and in lz4."""

_UNREAD_CODINGS = ("br", "deflate", "compress")
_UNKNOWN = "unknown_format"

_KINDS = {
    b"\x1f\x8b": "gzip data",
    b"\x1f\x9d": "data of compress (.Z)",
    b"\x28\xb5\x2f\xfd": "zstd data",
    **{b"BZh%d" % level: "bzip2 data" for level in range(1, 10)},
    b"\x04\x22\x4d\x18": "lz4 data",
    b"\x02\x21\x4c\x18": "lz4 data of the legacy kind",
    b"\xff\x06\0\0sNaPpY": "snappy data",
    b"\xfd7zXZ\0": "xz data",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    PARQUET: "Parquet",
    AVRO: "Avro",
    b"ARROW1\0": "Arrow data",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of Excel",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF87a": "a picture",
    b"GIF89a": "a picture",
    b"SQLite format 3\0": "a SQLite database",
    b"\x7fELF": "a program",
}
_BY_FIRST: dict[bytes, list[tuple[bytes, str]]] = {}
for _magic, _kind in _KINDS.items():
    _BY_FIRST.setdefault(_magic[:1], []).append((_magic, _kind))
_FIRST = {*_BY_FIRST, *(bytes((byte,)) for byte in range(0x50, 0x60))}
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_TEXT_BYTES = 4096
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")


def compression_of(head: bytes) -> str:
    """The compression that the first bytes of an object show; empty if they show none.

    >>> compression_of(b"\\x1f\\x8b\\x08\\x00"), compression_of(b"BZh,a"), compression_of(b"")
    ('gzip', '', '')
    """
    if head[:1] not in _FIRST:
        return ""
    for name, magic in _COMPRESSIONS.items():
        if magic.match(head):
            return name
    if _SKIPPABLE.match(head) and len(head) >= 8:
        after = head[8 + struct.unpack_from("<I", head, 4)[0] :]
        return compression_of(after) or "zstd"
    return ""


def kind_of(head: bytes) -> str:
    """What kind of binary data the first bytes of an object show; empty if they show none."""
    for magic, kind in _BY_FIRST.get(head[:1], ()):
        if head.startswith(magic):
            return kind
    return ""


def compression_by(head: bytes, named: str, content_encoding: str, uri: str) -> str:
    """How an object is compressed: its first bytes decide, then S3's header, then its name.

    What begins as text is plain text, whatever the header and the name say.

    Args:
        head: Its first bytes, at least ``HEAD_BYTES`` unless it is shorter.
        named: The compression that its name suggests; empty for none.
        content_encoding: The header of S3; empty without one.
        uri: Names the object in messages.

    Raises:
        ObjectFailed: It is neither what the header or the name says nor text.
    """
    shown = compression_of(head)
    if shown:
        return shown
    said = (content_encoding and _said_by(content_encoding)) or named
    if not said or begins_as(said, head):
        return said
    if is_text(head[:_TEXT_BYTES]):
        return ""
    if said not in _COMPRESSIONS:
        raise ObjectFailed(f"{uri} has the Content-Encoding {said}, which cannot be read", _UNKNOWN)
    if said == "snappy":
        raise ObjectFailed(
            f"{uri} is not in the framing format of snappy; raw snappy and Hadoop's cannot be read",
            _UNKNOWN,
        )
    what = kind_of(head)
    raise ObjectFailed(
        f"{uri} does not begin as {said} data" + (f" but as {what}" if what else ""),
        "object_corrupt",
    )


def _said_by(content_encoding: str) -> str:
    """The compression that a ``Content-Encoding`` names; empty if it names none."""
    for coding in content_encoding.lower().split(","):
        name = coding.strip().removeprefix("x-")
        if name in _COMPRESSIONS or name in _UNREAD_CODINGS:
            return name
    return ""


def begins_as(compression: str, head: bytes) -> bool:
    """Whether ``head`` may be the start of such data, although it is too short to show it.

    That is so of an empty object and, for gzip and xz, of the zeros that may come first.
    """
    if not head.strip(b"\0"):
        return not head or compression in ("gzip", "xz")
    if compression == "gzip" and head.startswith(b"\0"):
        return compression_of(head.lstrip(b"\0")) == "gzip"
    starts = [magic for magic, kind in _KINDS.items() if kind.split(" ")[0] in _named(compression)]
    return any(magic.startswith(head) or head.startswith(magic) for magic in starts)


def _named(compression: str) -> tuple[str, str]:
    return compression, {"bz2": "bzip2"}.get(compression, compression)


def is_text(head: bytes) -> bool:
    """Whether the first bytes of an object are those of text, in whatever encoding."""
    return head.startswith(_WIDE_MARKS) or not _NOT_TEXT.search(head)
