"""Wait, at the end of a bundle, until a sink has done what it has put off."""

from __future__ import annotations

from collections.abc import Callable

from transforms.batch.backoff import Backoff, Outage
from transforms.errors import Contention, SinkUnavailable
from transforms.read import drain


def finish(call: Callable[[], None], backoff: Backoff, budget: float) -> None:
    """Call ``call`` until it returns.

    Args:
        call: ``Sink.finish``. What it does is done again by the next run, if it never succeeds.
        backoff: Waits between tries.
        budget: Seconds to wait in all.

    Raises:
        SinkUnavailable: The budget is used up, or a drain was requested meanwhile.
        Contention: Likewise.
    """
    outage = Outage(backoff, budget, service="objects", sleep=drain.wait)
    while True:
        try:
            call()
            outage.end()
            return
        except (SinkUnavailable, Contention) as error:
            if drain.requested():
                outage.leave()
                raise
            if not outage.wait(error):
                outage.say_waited(error)
                raise
