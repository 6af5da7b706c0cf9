"""Terminals for programs to print on, and what somebody who looks at one sees."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_TOKEN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b.|([\r\n])|([^\x1b\r\n]+)")


@dataclass(slots=True)
class Terminal:
    """One terminal.

    Attributes:
        path: Where a program opens it.
        end: The end that a program writes to.
        printed: All bytes that were printed so far.
    """

    path: str
    end: int
    printed: bytearray = field(default_factory=bytearray)

    def screen(self) -> list[str]:
        """The lines that are left to see at the end, without blanks at their ends."""
        return screen(self.printed.decode())


@contextmanager
def terminals(count: int, *, columns: int = 80, lines: int = 200) -> Iterator[Sequence[Terminal]]:
    """Terminals that are read while the block runs; at its end they have all that was printed."""
    pairs = [pty.openpty() for _ in range(count)]
    opened = {}
    for ours, theirs in pairs:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        opened[ours] = Terminal(os.ttyname(theirs), theirs)
    ended = threading.Event()

    def read() -> None:
        while True:
            last = ended.is_set()
            readable, _, _ = select.select(list(opened), [], [], 0.0 if last else 0.05)
            for ours in readable:
                with suppress(OSError):
                    opened[ours].printed += os.read(ours, 65_536)
            if last and not readable:
                return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield list(opened.values())
    finally:
        ended.set()
        thread.join()
        for pair in pairs:
            for end in pair:
                os.close(end)


def screen(printed: str) -> list[str]:
    """What is left of what was printed, where a bar is drawn again and again in its place."""
    lines, row, column = [""], 0, 0
    for arguments, letter, move, text in _TOKEN.findall(printed):
        if letter == "A":
            row = max(0, row - int(arguments or 1))
        elif letter == "K":
            lines[row] = "" if arguments == "2" else lines[row][:column]
        elif move == "\r":
            column = 0
        elif move == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif text:
            before = lines[row].ljust(column)
            column += len(text)
            lines[row] = before[: column - len(text)] + text + before[column:]
    while lines and not lines[-1]:
        lines.pop()
    return [line.rstrip() for line in lines]
