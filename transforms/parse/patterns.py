"""Patterns that no linear engine can match, held to a bounded time.

A pattern with look-around or back-references is matched by backtracking: text of 60 kB may take
hours. jsonschema_rs counts steps back but calls a pattern that ran out of them not matched, which
is wrong: within ``not`` it would even accept the value. Here such a match is noted, so that the
record is refused for what it is.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import jsonschema_rs

SECONDS = 0.5
"""How much time of the processor one pattern may take for one text."""

MOST_STEPS = 1_000_000
"""Steps back, after which a pattern is given up whatever time they took."""

_FIRST = 5_000_000  # steps times characters of the first try: about 50 ms

_LIMIT = jsonschema_rs.ValidationErrorKind.BacktrackLimitExceeded

MASK = "\ue000"
"""Stands for the value in messages: a code point for private use, which means nothing."""


class _Noted(threading.local):
    """What has happened in this thread.

    Attributes:
        pattern: The last pattern that was given up, or None.
        length: The number of characters of its text.
    """

    pattern: str | None = None
    length: int = 0


_NOTED = _Noted()


def given_up() -> tuple[str, int] | None:
    """The pattern that was given up since this was last asked, and the length of its text."""
    if _NOTED.pattern is None:
        return None
    noted = _NOTED.pattern, _NOTED.length
    _NOTED.pattern = None
    return noted


class Pattern:
    """The keyword ``pattern`` for a schema with a pattern that a linear engine does not take."""

    def __init__(self, parent_schema: dict[str, Any], value: Any, schema_path: list[str | int]):
        self._pattern = value
        self._validators: dict[int, Any] = {}
        self._validator(MOST_STEPS)  # an invalid pattern raises an error now

    def validate(self, instance: Any) -> None:
        """Check one value.

        Raises:
            ValueError: It is text that does not match, or the pattern was given up.
        """
        if not isinstance(instance, str):
            return
        steps, spent = _steps_for(len(instance)), 0.0
        while True:
            before = time.thread_time()
            try:
                self._validator(steps).validate(instance)
            except jsonschema_rs.ValidationError as error:
                if not isinstance(error.kind, _LIMIT):
                    raise ValueError(f'{MASK} does not match "{self._pattern}"') from None  # noqa: TRY004
            else:
                return
            spent = time.thread_time() - before
            if steps >= MOST_STEPS or 10 * spent > SECONDS:
                _NOTED.pattern, _NOTED.length = self._pattern, len(instance)
                raise ValueError(f'{MASK} takes too long to match against "{self._pattern}"')
            steps *= 10

    def _validator(self, steps: int) -> Any:
        if steps not in self._validators:
            options = jsonschema_rs.FancyRegexOptions(backtrack_limit=steps)
            self._validators[steps] = jsonschema_rs.validator_for(
                {"pattern": self._pattern}, pattern_options=options
            )
        return self._validators[steps]


def is_linear(document: Any, **options: Any) -> bool:
    """Whether a linear engine takes every pattern of a valid schema.

    Args:
        document: The schema.
        options: As for ``jsonschema_rs.validator_for``.
    """
    try:
        jsonschema_rs.validator_for(
            document, pattern_options=jsonschema_rs.RegexOptions(), **options
        )
    except jsonschema_rs.ValidationError:
        return False
    return True


def _steps_for(length: int) -> int:
    """The steps of the first try: few for long text, where each may look at all of it.

    >>> _steps_for(10), _steps_for(60_000), _steps_for(1 << 20)
    (100000, 10, 1)
    """
    steps = 1
    while steps < MOST_STEPS and 10 * steps * length <= _FIRST:
        steps *= 10
    return steps
