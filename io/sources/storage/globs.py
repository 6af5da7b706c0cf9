"""Globs as in shells: ``*`` and ``?`` within a segment, ``[…]``, and ``**`` across segments."""

from __future__ import annotations

import re
from functools import lru_cache

_WILD = re.compile(r"[*?\[]")
_NOT_HIDDEN = r"(?!\.|_(?![^/]*=))"


def is_wild(text: str) -> bool:
    """Whether ``text`` has a wildcard.

    >>> is_wild("a/b.jsonl"), is_wild("a/?.jsonl")
    (False, True)
    """
    return _WILD.search(text) is not None


def literal_prefix(glob: str) -> str:
    """The longest start of ``glob`` without a wildcard.

    >>> literal_prefix("events/2026-*/part.jsonl")
    'events/2026-'
    """
    wildcard = _WILD.search(glob)
    return glob if wildcard is None else glob[: wildcard.start()]


@lru_cache(maxsize=256)
def matcher(glob: str, *, hidden: bool = True) -> re.Pattern[str]:
    """The pattern whose full matches are the names that ``glob`` stands for.

    A ``[`` without its ``]`` is an ordinary character, as in shells; ``**`` as a whole
    segment stands for any number of segments, even none, and even empty ones (``a//b``).

    Args:
        glob: The glob.
        hidden: Whether wildcards match segments that begin with a dot or an underscore. Such a
            name is hidden, as in Hadoop and Spark, unless the glob spells its first character
            or it is a partition (``_day=1``).

    >>> bool(matcher("a/**/*.csv").fullmatch("a/x.csv"))
    True
    >>> bool(matcher("a/*.csv").fullmatch("a/b/x.csv"))
    False
    >>> bool(matcher("a/*", hidden=False).fullmatch("a/_SUCCESS"))
    False
    """
    guard = "" if hidden else _NOT_HIDDEN
    segments = glob.split("/")
    pattern = ""
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if segment == "**":
            pattern += f"(?:{guard}[^/]*/)*" + (f"{guard}[^/]*" if last else "")
        else:
            pattern += ("" if spells_hidden(segment) else guard) + _segment(segment)
            pattern += "" if last else "/"
    return re.compile(pattern, re.DOTALL)


def spells_hidden(segment: str) -> bool:
    """Whether a segment of a glob says itself how names begin, so that it may mean hidden ones.

    >>> spells_hidden("_log*"), spells_hidden("[._]*"), spells_hidden("*")
    (True, True, False)
    """
    if segment.startswith("[") and segment[1:2] not in ("!", "^"):
        return bool({".", "_"}.intersection(segment[1:].partition("]")[0]))
    return not segment.startswith(("*", "?", "["))


def _segment(segment: str) -> str:
    pattern = ""
    at = 0
    while at < len(segment):
        char = segment[at]
        at += 1
        if char == "*":
            pattern += "[^/]*"
        elif char == "?":
            pattern += "[^/]"
        elif char == "[" and (close := segment.find("]", at + 1 + segment.startswith("!", at))) > 0:
            negated = segment[at] in "!^"
            members = re.sub(r"([\\\[\]^&~|])", r"\\\1", segment[at + negated : close])
            pattern += _members(members, negated)
            at = close + 1
        else:
            pattern += re.escape(char)
    return pattern


def _members(members: str, negated: bool) -> str:
    pattern = f"[{'^/' if negated else ''}{members}]"
    try:
        re.compile(pattern)
    except re.error:  # an empty range such as [z-a] matches nothing, as in fnmatch
        return "(?!)" if not negated else "[^/]"
    return pattern
