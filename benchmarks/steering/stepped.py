"""``pipelines.ingest``, which kills itself with SIGKILL at a step of being held, of going on, or of a rewind.

    python -m benchmarks.steering.stepped STEP[,STEP] OPTION...

It ends at the first of the steps that it comes to; with ``none`` it runs on. ``STEPS`` names them, in order.
``STEP@N`` is one after the N-th rewind of the pipeline.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

from pipelines import command
from pipelines.ingest import main as ingest_main
from sinks.control import polling
from sinks.control.requests import WHOLE, Requested
from sinks.sql import SqlSink
from transforms.read.reading import Reading

HOLD_STEPS = ("seen", "last-emitted", "committing", "settled", "held")
"""The request is seen; nothing more of the bundle is emitted; what was emitted is about to be committed, and is;
the split is held with nothing left to settle."""

GOES_ON_STEPS = ("resume-seen", "polled", "committing-again", "settled-again")
"""A resume is seen; the first records are polled; they are about to be committed, and are."""

REWIND_STEPS = ("rewind-seen", "dropping", "dropped")
"""A new generation is seen; the position and the reader are about to be dropped, and are."""

STEPS = (*HOLD_STEPS, *GOES_ON_STEPS, *REWIND_STEPS)


class Steps:
    """Kills the process at a step.

    Args:
        names: At which.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._least = {
            name: int(after or 0) for name, _, after in (n.partition("@") for n in names)
        }
        unknown = set(self._least) - {*STEPS, "none"}
        assert not unknown, f"no steps: {unknown}"
        self._state: str | None = None
        self._generation = 0

    def reach(self, name: str) -> None:
        """Die, if the step of that name is the one."""
        least = self._least.get(name)
        if least is not None and self._generation >= least:
            os.write(2, f"killed at the step {name}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def saw(self, rows: dict[str, Requested]) -> None:
        """Compare an answer of the database with the last one."""
        whole = rows.get(WHOLE)
        if whole is None:
            return
        state, generation = ("held" if whole.holds else "resumed"), whole.generation
        changed, rewound = state != self._state, generation != self._generation
        self._state, self._generation = state, generation
        if changed:
            self.reach("seen" if whole.holds else "resume-seen")
        if rewound:
            self.reach("rewind-seen")

    @property
    def is_held(self) -> bool:
        """Whether this process has seen that it is held."""
        return self._state == "held"

    @property
    def goes_on(self) -> bool:
        """Whether this process has seen that it was resumed, or has begun afterwards."""
        return self._state == "resumed"

    def wrap(self) -> None:
        """Let the program come by at each step."""
        self._wrap_asking()
        self._wrap_reading()
        commit = SqlSink.commit

        def stepped_commit(*arguments: Any, **options: Any) -> Any:
            held, goes_on = self.is_held, self.goes_on
            if held or goes_on:
                self.reach("committing" if held else "committing-again")
            settled = commit(*arguments, **options)
            if held or goes_on:
                self.reach("settled" if held else "settled-again")
            return settled

        SqlSink.commit = stepped_commit  # type: ignore[method-assign]

    def _wrap_asking(self) -> None:
        steps, ask = self, polling._Poller.ask

        def stepped_ask(self: polling._Poller) -> None:
            ask(self)
            steps.saw(self.rows)

        polling._Poller.ask = stepped_ask  # type: ignore[method-assign]

    def _wrap_reading(self) -> None:
        steps = self
        rest, begin, poll = Reading._rest_held, Reading._begin_again, Reading._poll

        def stepped_rest(self: Reading) -> None:
            steps.reach("last-emitted" if self._emitted else "held")
            rest(self)

        def stepped_begin(self: Reading) -> bool:
            steps.reach("dropping")
            begun = begin(self)
            steps.reach("dropped")
            return begun

        def stepped_poll(self: Reading) -> None:
            poll(self)
            if steps.goes_on and self._emission is not None and self._emission.rest:
                steps.reach("polled")

        Reading._rest_held = stepped_rest  # type: ignore[method-assign]
        Reading._begin_again = stepped_begin  # type: ignore[method-assign]
        Reading._poll = stepped_poll  # type: ignore[method-assign]


def main(argv: Sequence[str]) -> int:
    """Run one ingestion, which may not come to its end; returns its exit code."""
    Steps(argv[0].split(",")).wrap()
    return ingest_main(argv[1:])


if __name__ == "__main__":
    raise SystemExit(command.run("ingest", main, None))
