"""What a check is: a guarantee, and how it is tried; it passes only if it has compared something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipelines.conformance.ground import Ground

Status = Literal["passed", "failed", "not offered"]

_SHOWN = 120  # characters of a value in a message


class Failed(Exception):
    """The database does not keep the guarantee; the message is one line that says how it shows."""


class NotOffered(Exception):
    """The database does not offer what the check is about; the message says what and why."""


class Trial:
    """The comparisons of one check.

    Attributes:
        compared: How many there were.
    """

    def __init__(self) -> None:
        self.compared = 0

    def equal(self, what: str, actual: object, expected: object) -> None:
        """``what`` must be as expected.

        Raises:
            Failed: It is not.
        """
        self.compared += 1
        if actual != expected:
            raise Failed(f"{what}: expected {_shown(expected)}, got {_shown(actual)}")

    def true(self, what: str, holds: object) -> None:
        """``what``, a whole sentence, must hold.

        Raises:
            Failed: It does not.
        """
        self.compared += 1
        if not holds:
            raise Failed(f"not true: {what}")


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: The subject and the case, such as ``types.integer``; it stays.
        guarantee: What the database is to keep, in one line.
        run: Tries it; raises ``Failed``, ``NotOffered`` or what the program raises.
    """

    name: str
    guarantee: str
    run: Callable[[Ground, Trial], None]

    @property
    def table(self) -> str:
        """The name of a table that no other check uses."""
        return self.name.replace(".", "_")


@dataclass(frozen=True, slots=True)
class Result:
    """What a check has come to.

    Attributes:
        check: The check.
        status: Passed, failed, or not offered by the database.
        why: One line; empty if it passed.
        seconds: How long it took.
    """

    check: Check
    status: Status
    why: str = ""
    seconds: float = 0.0


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
