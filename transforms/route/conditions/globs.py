"""Globs over the names of topics, keys, event types and sources, as patterns of whole texts."""

from __future__ import annotations

import re

_SOURCE = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")


def text_glob(glob: str) -> re.Pattern[str]:
    """The pattern of a text in which ``*`` stands for any characters.

    >>> bool(text_glob("order.*").fullmatch("order.line.added"))
    True
    """
    return re.compile(".*".join(map(re.escape, glob.split("*"))), re.DOTALL)


def source_glob(glob: str) -> re.Pattern[str]:
    """The pattern of the source of a record: ``file:///…``, ``s3://…``, ``kafka://…``.

    ``*`` and ``?`` stand for characters within a folder, ``**`` for any. A glob without a scheme is
    the end of a path, from a folder on, or an absolute path of a file.

    >>> bool(source_glob("day-*.jsonl").fullmatch("s3://logs/2026/day-1.jsonl"))
    True
    """
    if "://" not in glob:
        glob = f"file://{glob}" if glob.startswith("/") else f"**/{glob.removeprefix('./')}"
    parts = (_SIGNS.get(part, re.escape(part)) for part in _SOURCE.findall(glob))
    return re.compile("".join(parts), re.DOTALL)


_SIGNS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
