"""What an error says, as a dead letter keeps it: its message and its stack, without secrets."""

from __future__ import annotations

import traceback
from contextlib import suppress
from functools import lru_cache
from types import CodeType

from transforms.errors import MESSAGE_LIMIT, STACK_LIMIT, Reject, RetryLater, SluiceError
from transforms.secrets import redact

CAUSES_LIMIT = 5
_FEW_CALLS = 50
_SAY_MORE = (SyntaxError, NameError, AttributeError, ImportError, BaseExceptionGroup)
"""Errors of which ``traceback`` prints more than their text."""

_LOOKED_AT = 2
"""How many times the limit is searched for secrets, so that none is cut in two at the limit."""


def stack_of(error: BaseException, *, quotes: bool = True) -> str:
    """The printed stack of ``error`` and its causes, without secrets, the end kept when it is long.

    Like ``traceback.format_exception``, but without carets below the lines, which take four
    fifths of its time, and with what a line of code looked like when it first failed.

    An error that a step raises on purpose shows only where it was raised, because its message
    says the rest. A flood of such records would otherwise be stored with the same lines each, and
    again at every attempt. If nothing else led to the error, the stack is one line.

    Args:
        error: The error.
        quotes: Whether messages may be shown; otherwise only the places are.
    """
    if isinstance(error, Reject | RetryLater) and (_next(error) is None or not quotes):
        return _place(error)
    if error.__traceback__ is None and quotes and _next(error) is None:  # it was never raised
        alone = "".join(_exception_only(error))
        return redact(alone[-_LOOKED_AT * STACK_LIMIT :])[-STACK_LIMIT:]
    printed: list[str] = []
    current: BaseException | None = error
    while current is not None and len(printed) < CAUSES_LIMIT:
        calls = list(traceback.walk_tb(current.__traceback__))
        if isinstance(current, (Reject, RetryLater)):
            calls = calls[-1:]
        heading = ["Traceback (most recent call last):\n"] if calls else []
        if len(calls) <= _FEW_CALLS:
            lines = [_line(frame.f_code, line) for frame, line in calls]
        else:  # it may be a recursion, which is shown once
            lines = traceback.StackSummary.extract(iter(calls)).format()
        said = _exception_only(current) if quotes else [f"{type(current).__name__}\n"]
        printed.append("".join([*heading, *lines, *said]))
        current = _next(current)
    whole = "\nwhich led to:\n\n".join(reversed(printed))
    return redact(whole[-_LOOKED_AT * STACK_LIMIT :])[-STACK_LIMIT:]


def _next(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _place(error: BaseException) -> str:
    """Where ``error`` was raised, as a line of a stack; empty if it was never raised."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        place = f'File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_name}'
    return place


@lru_cache(maxsize=1_000)
def _line(code: CodeType, line: int) -> str:
    """A call as a line of a stack, and the line of code: to look for it takes a hundred times as long."""
    call = traceback.FrameSummary(code.co_filename, line, code.co_name)
    return "".join(traceback.StackSummary.from_list([call]).format())


def _exception_only(error: BaseException) -> list[str]:
    """As ``traceback.format_exception_only``, which takes ten times as long for the usual errors."""
    if not isinstance(error, _SAY_MORE) and not hasattr(error, "__notes__"):
        with suppress(Exception):  # it has no text
            kind, text = type(error), str(error)
            name = kind.__qualname__
            if kind.__module__ not in ("builtins", "__main__"):
                name = f"{kind.__module__}.{name}"
            return [f"{name}: {text}\n" if text else f"{name}\n"]
    return traceback.format_exception_only(type(error), error)


def message_of(error: BaseException, *, quotes: bool = True) -> str:
    """The message of ``error``, or its type if it has none; at most 2,000 characters, no secrets.

    Args:
        error: The error.
        quotes: Whether it may quote what was read. Otherwise the text of an error that was not
            raised on purpose is left out, since nobody knows what is in it.
    """
    if not quotes and not isinstance(error, SluiceError):
        return f"{type(error).__name__}; its text is left out, since it may quote hidden fields"
    return bounded(str(error) or type(error).__name__, MESSAGE_LIMIT)


def bounded(text: str, limit: int) -> str:
    """The first ``limit`` characters of ``text`` without secrets, none of which is cut in two there."""
    return redact(text[: _LOOKED_AT * limit])[:limit]
