"""How a step calls its function: how many calls at once, how fast, and for how long."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transforms.errors import ConfigError

MOST_AT_ONCE = 10_000
"""The most calls at once; each may be a thread."""


@dataclass(frozen=True, slots=True)
class StepOptions:
    """How a step calls its function.

    Attributes:
        concurrency: The most calls at once in each process.
        timeout: Seconds for each call; None waits for as long as it takes.
        rate: The most calls a second in each process; None does not limit them.
        batch: How many records a call takes; None calls the function with one record.
        setup: Makes a client, once in each process, which is the second argument of each call.
        teardown: Closes the client when the process is done.

    Raises:
        ConfigError: A value makes no sense.
    """

    concurrency: int = 1
    timeout: float | None = None
    rate: float | None = None
    batch: int | None = None
    setup: Callable[[], Any] | None = None
    teardown: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        _whole("concurrency", self.concurrency, MOST_AT_ONCE)
        if self.batch is not None:
            _whole("batch", self.batch, None)
        for name, value in (("timeout", self.timeout), ("rate", self.rate)):
            if value is not None and not (_is_number(value) and 0 < value < math.inf):
                raise ConfigError(f"{name} must be a number greater than 0, got {value!r}")
        for name, function in (("setup", self.setup), ("teardown", self.teardown)):
            if function is not None and not callable(function):
                raise ConfigError(f"{name} must be a function, got {type(function).__name__}")
        if self.teardown is not None and self.setup is None:
            raise ConfigError("teardown closes what setup has made; there is no setup")

    @property
    def plain(self) -> bool:
        """Whether the function is called for one record after another, and nothing else."""
        return (self.concurrency, self.timeout, self.rate, self.batch, self.setup) == (
            *(1, None, None, None),
            None,
        )


def _whole(name: str, value: object, most: int | None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not whole:
        raise ConfigError(f"{name} must be a whole number of at least 1, got {value!r}")
    if most is not None and isinstance(value, int) and value > most:
        raise ConfigError(f"{name} must be at most {most:,}, got {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
