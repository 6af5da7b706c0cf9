"""Paths within a value: ``user.address.city``, ``tags[0]``, ``"a.b".c``."""

from __future__ import annotations

import re

Steps = tuple[str | int, ...]
"""A path: names of fields, and numbers of elements (from 0; negative ones count from the end)."""

MOST_STEPS = 50
_STEP = re.compile(
    r'(?:(?P<dot>^|\.)(?:"(?P<quoted>(?:[^"\\]|\\.)+)"|(?P<name>[^."\[\]\s][^."\[\]]*))|'
    r"\[(?P<index>-?[0-9]{1,9})\])"
)


def steps_of(text: str) -> Steps:
    """The steps of a path.

    >>> steps_of('user."home address".lines[0]')
    ('user', 'home address', 'lines', 0)

    Raises:
        ValueError: It is not a path; the message says why.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(text) or not steps:
        match = _STEP.match(text, at)
        if match is None or (match["dot"] is not None and bool(match["dot"]) != bool(steps)):
            raise ValueError(f"{text!r} is not a path; write e.g. user.address.city or tags[0]")
        if match["index"] is not None:
            if not steps:
                raise ValueError(f"{text!r} begins with an element; a record has fields")
            steps.append(int(match["index"]))
        elif match["quoted"] is not None:
            steps.append(re.sub(r"\\(.)", r"\1", match["quoted"]))
        else:
            steps.append(match["name"].rstrip())
        at = match.end()
    if len(steps) > MOST_STEPS:
        raise ValueError(f"a path has at most {MOST_STEPS} steps")
    return tuple(steps)


def text_of(steps: Steps) -> str:
    """A path for messages.

    >>> text_of(("user", "tags", 0))
    'user.tags[0]'
    """
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + step
    return text
