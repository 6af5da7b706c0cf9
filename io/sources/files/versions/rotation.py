"""The names that a rotated file may have had before, as logrotate and logging libraries give them."""

from __future__ import annotations

import re

from sources.files.formats import known_format_of

_NUMBERED = re.compile(r"(?P<stem>.+)[.-](?P<number>[0-9]{1,4})")
_DATED = re.compile(r"(?P<stem>.+)[.-][0-9]{4}[0-9_.-]+")
_BEFORE_EXTENSION = re.compile(r"(?P<stem>.+)[.-](?P<number>[0-9]{1,4})(?P<extension>\.[a-z]+)")


def earlier_names(uri: str) -> list[str]:
    """The URIs, in the same folder, under which a rotated file may have been read before.

    >>> earlier_names("file:///log/app.log.2.gz")
    ['file:///log/app.log.2', 'file:///log/app.log.1', 'file:///log/app.log']
    """
    folder, _, name = uri.rpartition("/")
    names = []
    stored_format = known_format_of(name)
    if stored_format is not None and stored_format.compression:
        name = name.rpartition(".")[0]
        names.append(name)
    if match := _DATED.fullmatch(name):
        names.append(match["stem"])
    elif match := _NUMBERED.fullmatch(name):
        if (number := int(match["number"])) > 1:
            names.append(f"{name[: match.start('number')]}{number - 1}")
        names.append(match["stem"])
    elif match := _BEFORE_EXTENSION.fullmatch(name):
        if (number := int(match["number"])) > 1:
            end = name[match.end("number") :]
            names.append(f"{name[: match.start('number')]}{number - 1}{end}")
        names.append(match["stem"] + match["extension"])
    return [f"{folder}/{each}" for each in names]
