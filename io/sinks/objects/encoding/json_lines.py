"""Records as an object of JSON lines, compressed by gzip: the same bytes for the same input."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from typing import IO, Any, Self

from sinks.objects.encoding.cells.json_cells import json_texts
from sinks.objects.encoding.cells.unfit import DATA, FAILURES
from sinks.objects.encoding.columns import Columns
from sinks.objects.encoding.encoded import Encoded
from sinks.objects.encoding.origins import Origins
from sinks.objects.encoding.rows import Refused
from transforms.errors import Reject

LEVEL = 3
"""gzip's level: a tenth larger than level 6, in less than half of its time."""

EXTENSION = ".jsonl.gz"


class JsonLinesObject:
    """An object of JSON lines that takes records until it is closed.

    ``with`` gives it up if it cannot be finished; its file is then to be thrown away.

    A line is the record as JSON, with exact numbers, whatever the dataset's columns are.

    Args:
        columns: Not looked at.
        file: Where its bytes go; it stays open.
        metadata: Not written: JSON lines have no place for it.
    """

    def __init__(
        self, columns: Columns, file: IO[bytes], metadata: Mapping[str, str] | None = None
    ) -> None:
        self._file = file
        self._stream: gzip.GzipFile | None = None
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream = None

    def add(self, values: Sequence[Mapping[str, Any]], origins: Origins) -> Refused:
        """Add records; returns those that cannot be written."""
        lines, refused = _lines(values)
        if lines:
            if self._stream is None:
                self._stream = gzip.GzipFile("", "wb", LEVEL, self._file, mtime=0)
            self._stream.write(b"\n".join([*lines, b""]))
            self._rows += len(lines)
        return refused

    def close(self) -> Encoded:
        """Write what is left, unless there are no records at all."""
        if self._stream is None:
            return Encoded(0, 0)
        self._stream.close()
        return Encoded(self._rows, self._file.tell())


def encode(
    columns: Columns,
    values: Sequence[Mapping[str, Any]],
    origins: Origins,
    file: IO[bytes],
    metadata: Mapping[str, str] | None = None,
) -> Encoded:
    """Write records as one object of JSON lines; the arguments are those of Parquet's ``encode``."""
    with JsonLinesObject(columns, file, metadata) as target:
        refused = target.add(values, origins)
        encoded = target.close()
    return Encoded(encoded.rows, encoded.bytes, refused)


def _lines(values: Sequence[Any]) -> tuple[list[bytes], Refused]:
    try:
        return [text or b"null" for text in json_texts(values)], []
    except FAILURES:
        pass  # one of them, which is looked for
    lines: list[bytes] = []
    refused: Refused = []
    for index, value in enumerate(values):
        try:
            lines += [text or b"null" for text in json_texts([value])]
        except FAILURES as error:
            reason = " ".join(str(error).split())
            refused.append((index, Reject(f"the record cannot be written as JSON: {reason}", DATA)))
    return lines, refused
