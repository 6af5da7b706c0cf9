"""A regular expression that a whole text must match, held to a bounded time."""

from __future__ import annotations

import json
from collections.abc import Callable

from transforms.errors import ConfigError, Reject
from transforms.parse.patterns import given_up
from transforms.parse.validate import compiled


def whole_match(pattern: str) -> Callable[[str], bool]:
    """The function that says whether a text is one that ``pattern`` matches as a whole.

    It is a pattern of JSON Schema (ECMA-262). The function raises ``Reject``, category
    ``pattern_limit``, where a pattern with look-around or back-references takes too long.

    Raises:
        ConfigError: It is no regular expression.

    >>> match = whole_match("a|b")
    >>> match("a"), match("ab")
    (True, False)
    """
    try:
        validator = compiled(json.dumps({"pattern": f"^(?:{pattern})$"}))
    except ConfigError:
        raise ConfigError(f"{pattern} is not a regular expression") from None

    def matches(text: str) -> bool:
        given_up()  # what other texts noted
        matched: bool = validator.is_valid(text)
        if given_up() is not None:
            raise Reject(
                f"pattern {pattern} takes too long on text of {len(text):,} characters; whether it "
                "matches is not known",
                "pattern_limit",
            )
        return matched

    return matches
