"""What is printed for people: names and payloads of others must not steer the terminal.

Names of files, objects, topics and headers, and texts of records, come from elsewhere. ESC and its
like can rewrite what is on the screen, and characters that change the direction of writing make a
name look like another one (https://trojansource.codes).
"""

from __future__ import annotations

import logging
import sys
import unicodedata
from typing import TYPE_CHECKING

from transforms.secrets import redact

if TYPE_CHECKING:
    from rich.text import Text

_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_LAYOUT = frozenset("\n\t")


def safe(text: str) -> str:
    """``text`` with control and format characters escaped, apart from line feeds and tabs.

    >>> safe("a" + chr(27) + "[2J")
    'a\\\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def shown(value: object) -> Text:
    """``str(value)`` as a text of rich: safe, and never read as markup."""
    from rich.text import Text  # takes time, which --help and --json do not need

    return Text(safe(str(value)))


def say(line: str) -> None:
    """Print a line for people to stderr, without secrets, and so that nothing in it steers the terminal."""
    print(safe(redact(line)), file=sys.stderr)


class SafeFormatter(logging.Formatter):
    """Formats log records without secrets, and so that nothing in them steers the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return safe(redact(super().format(record)))


def _shown(character: str) -> str:
    if character in _LAYOUT or unicodedata.category(character) not in _ESCAPED:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 128 else ascii(character)[1:-1]
