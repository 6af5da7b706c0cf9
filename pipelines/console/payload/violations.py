"""Which fields violate a JSON Schema, as the message of ``transforms.parse.validate`` names them."""

from __future__ import annotations

import re

_STAGE, _CATEGORY = "validate", "schema"
_MOST = 6  # five errors, and that there are more
_POINTER = re.compile(r"(/[^;\n]*?): ")


def violating(stage: str, category: str, message: str) -> tuple[tuple[str, ...], ...]:
    """The paths of the fields that a message is about; none if it is not about a schema.

    A message is text: a field whose name has ``": "`` or ``"; "`` in it may not be found.
    """
    if (stage, category) != (_STAGE, _CATEGORY):
        return ()
    paths = []
    for reason in message.split("; ", _MOST)[:_MOST]:
        match = _POINTER.match(reason)
        if match is not None and not match[1].endswith("…"):
            names = match[1][1:].split("/")
            paths.append(tuple(name.replace("~1", "/").replace("~0", "~") for name in names))
    return tuple(dict.fromkeys(paths))
