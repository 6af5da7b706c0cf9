"""Objects of JSON lines in gzip copied into one, a block at a time."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

_BLOCK = 1024 * 1024


def merge(files: Iterable[BinaryIO], path: Path) -> int:
    """Write the lines of ``files`` one after another to ``path``; returns how many there are.

    They are compressed anew, into one member: some readers stop behind the first of several.

    Args:
        files: Objects of lines in gzip. Each is asked for once the one before it is done.
        path: The file to write.

    Raises:
        EOFError: An object ends too soon.
        OSError: An object is no gzip, or the file cannot be written.
        zlib.error: An object is damaged.
    """
    lines = 0
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as out:
        for file in files:
            last = b"\n"
            with gzip.GzipFile(fileobj=file, mode="rb") as read:
                while block := read.read(_BLOCK):
                    lines += block.count(b"\n")
                    last = block[-1:]
                    out.write(block)
            if last != b"\n":
                out.write(b"\n")
                lines += 1
    return lines
