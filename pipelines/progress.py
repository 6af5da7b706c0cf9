"""A progress bar on stderr, fed by the tally of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from transforms import metrics

_REFRESH_SECONDS = 0.2


@contextmanager
def shown(enabled: bool) -> Iterator[None]:
    """Show the bar while the block runs; without a terminal, show only its last state."""
    if not enabled:
        yield
        return
    bar = Progress(
        TextColumn("[bold]ingest"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[records]:,} records"),
        TextColumn("{task.fields[dead]:,} dead"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
    )
    task = bar.add_task("ingest", total=None, records=0, dead=0)
    stop = threading.Event()

    def refresh() -> None:
        tally = metrics.tally()
        planned = tally.get("bytes_planned", 0)
        bar.update(
            task,
            total=planned or None,
            completed=tally.get("bytes_read", 0),
            records=tally.get("read", 0) + tally.get("expanded", 0),
            dead=tally.get("dead", 0),
        )
        bar.refresh()

    def loop() -> None:
        while not stop.wait(_REFRESH_SECONDS):
            refresh()

    thread = threading.Thread(target=loop, name="progress", daemon=True)
    with bar:
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            refresh()
