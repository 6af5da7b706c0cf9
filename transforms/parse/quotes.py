"""Take what was read out of the messages of failures to read."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

from transforms.batch.record import Failure
from transforms.parse.typed_rows import TYPED, problem_of, unreadable_in

_CHARACTER = re.compile(r"'(?:\\x[0-9a-fA-F]{2}|\\.|[^'\\])'|\"'\"")
"""One character in the quotes of a Python literal, as framing shows it where it stops."""


def without_quotes(failure: Failure) -> Failure:
    """A failure of reading whose message quotes nothing of the record; any other as it is.

    Readers do not know what is hidden. Their messages quote the character at which framing stops,
    and the values of typed rows that cannot be read, which the bytes of the row name.
    """
    if failure.stage != "read":
        return failure
    message = _CHARACTER.sub("a character", failure.message)
    if failure.format.name in TYPED:
        with suppress(ValueError):
            message = problem_of(unreadable_in(failure.raw), quotes=False)
    # What led to the failure may quote more.
    places = [line for line in failure.stack.splitlines() if line.lstrip().startswith('File "')]
    return replace(failure, message=message, stack="\n".join(places))
