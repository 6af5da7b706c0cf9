"""The command ``ingest``, which asks four times as often what is asked of its pipeline.

python -m tests.pipelines.control.quickly --source …
"""

from __future__ import annotations

from pipelines import command
from pipelines.ingest import main
from runners.leaving import leave
from sinks.control import polling

SECONDS = polling.SECONDS / 4

if __name__ == "__main__":
    initial = polling.SqlControls.__init__
    assert initial.__defaults__ is not None
    first, *others = initial.__defaults__
    assert first == polling.SECONDS
    initial.__defaults__ = (SECONDS, *others)
    leave(command.run("ingest", main, None))
