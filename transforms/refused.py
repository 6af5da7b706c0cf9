"""A record that is refused without an exception: to raise and print one takes longer than to read it.

A function over values may return it in place of raising ``Reject``, where the stack of equal failures is
known from one that was raised. What a dead letter keeps of both is the same.
"""

from __future__ import annotations

from typing import NamedTuple

from transforms.error_texts import bounded
from transforms.errors import MESSAGE_LIMIT, STACK_LIMIT
from transforms.secrets import is_plain, redact

EXCEPTION = "Reject"
"""The class of the exception that is not raised."""


class Refused(NamedTuple):
    """Why a record is refused.

    Attributes:
        category: As ``Reject`` has it.
        message: As ``error_texts.message_of`` returns it for the exception.
        stack: As ``error_texts.stack_of`` returns it.
    """

    category: str
    message: str
    stack: str


def refused(category: str, message: str, place: str) -> Refused:
    """What a ``Reject`` without a cause says, which is always raised at ``place``."""
    return Refused(category, bounded(message or EXCEPTION, MESSAGE_LIMIT), place)


def refused_after(category: str, message: str, before: str) -> Refused:
    """What a ``Reject`` with a cause says; ``before`` is its stack up to its message."""
    stack = f"{before}{message}\n"
    if not is_plain(stack):
        stack, message = redact(stack), bounded(message, MESSAGE_LIMIT)
    return Refused(category, message[:MESSAGE_LIMIT], stack[-STACK_LIMIT:])
