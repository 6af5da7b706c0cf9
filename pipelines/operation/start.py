"""Wait for a database, broker or object store that is away when a program starts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import wait
from typing import TypeVar

from transforms.background import in_background
from transforms.batch.backoff import Backoff, Outage
from transforms.errors import ConfigError, SinkUnavailable, SourceRefused, SourceUnavailable

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

_BACKOFF = Backoff(base=0.25, cap=15.0)
_SAY_AGAIN_SECONDS = 30.0


def once_reachable(
    work: Callable[[], Result], budget: float, backoff: Backoff = _BACKOFF
) -> Result:
    """The result of ``work``, repeated while the service that it needs is away.

    What waiting cannot heal (a refused login, no such database) is raised at once. The first
    failure is said at once too: it may be a mistake, such as the name of a host.

    ``work`` runs on a thread of its own, so that Ctrl-C ends the wait for it.

    Args:
        work: Can be repeated.
        budget: Seconds to wait, counted from now; the first try is always waited for.
        backoff: The waits between two tries.

    Raises:
        ConfigError: The service refuses.
        SourceUnavailable: It was away for longer than the budget; or ``SinkUnavailable``.
    """
    outage = Outage(backoff, budget, service="source")
    outage.begin()
    last: SourceUnavailable | SinkUnavailable | None = None
    say_after = _SAY_AGAIN_SECONDS
    while True:
        attempt = in_background(work, "start")
        wait([attempt], None if last is None else max(0.0, budget - outage.seconds))
        if last is not None and not attempt.done():
            outage.leave()
            outage.say_waited(last)
            raise last
        try:
            result = attempt.result()
        except SourceRefused as error:
            raise ConfigError(str(error)) from error
        except (SourceUnavailable, SinkUnavailable) as error:
            last = error
            outage.service = "database" if isinstance(error, SinkUnavailable) else "source"
        else:
            outage.end()
            return result
        seconds = outage.next_wait(last)
        if seconds is None:
            outage.say_waited(last)
            raise last
        if outage.seconds >= say_after:
            say_after = outage.seconds + _SAY_AGAIN_SECONDS
            _log.warning(
                "%s; waiting for it, for another %.0f s at most (--outage_budget)",
                *(last, budget - outage.seconds),
                extra={"service": outage.service},
            )
        time.sleep(seconds)
