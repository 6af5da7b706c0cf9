"""Standard output and error of a command: whoever stops reading them does not change what it did.

A pipe whose reader has gone, a full disk or a closed descriptor would otherwise end a run that has
committed its records with exit code 1, or with 120 when Python flushes at its end.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

_DESCRIPTORS = {0: os.O_RDONLY, 1: os.O_WRONLY, 2: os.O_WRONLY}


@contextmanager
def lasting() -> Iterator[None]:
    """While the block runs, ``sys.stdout`` and ``sys.stderr`` take all text and raise no error.

    What cannot be written is dropped; ``lost`` says why. A character that the encoding of standard
    output lacks is written as an escape. Streams that somebody has replaced stay as they are.
    """
    _fill_descriptors()
    before = sys.stdout, sys.stderr
    _flush()  # what was printed before comes first
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(1, before[0])
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(2, before[1])
    try:
        yield
    finally:
        _flush()
        sys.stdout, sys.stderr = before


def lost() -> str | None:
    """Why a part of standard output could not be written, in a few words.

    None if all of it was, or if its reader has gone and so wants no more (``… | head``). It is known
    only within ``lasting``.
    """
    _flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.lost if isinstance(raw, _Descriptor) else None


class _Descriptor(io.FileIO):
    """An open descriptor; after a write has failed, it takes everything and drops it.

    Attributes:
        lost: Why a write failed, unless the reader had gone.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.lost: str | None = None
        self._gone = False

    def write(self, data: Any) -> int:
        """As many bytes as were written, or dropped."""
        if not self._gone:
            try:
                return super().write(data) or 0
            except BrokenPipeError:
                self._gone = True
            except OSError as error:
                self._gone = True
                self.lost = error.strerror or type(error).__name__
        return memoryview(data).nbytes


def _text(descriptor: int, before: TextIO | None) -> TextIO:
    raw = _Descriptor(descriptor)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=descriptor == 2 or raw.isatty(),
    )


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # as Python leaves it where the descriptor was closed
            with suppress(OSError, ValueError):
                stream.flush()


def _fill_descriptors() -> None:
    """Open the null device in the place of a descriptor that is closed.

    Otherwise the next file or connection would get its number, and what a library or a child
    writes to standard output would go there.
    """
    for descriptor, flags in _DESCRIPTORS.items():
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, flags)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
