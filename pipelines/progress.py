"""How far a run is, shown on stderr: a bar for people, or a line now and then."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from pipelines.telemetry.reading import Reading, line_of

Mode = Literal["bar", "plain", "none"]

PLAIN_SECONDS = 10.0
"""Between two plain lines."""

_REFRESH_SECONDS = 0.2
_WINDOW = 50
"""Readings over which the bar's rate is taken: 10 s, so that it neither jumps nor lags behind."""


def mode_of(asked: str) -> Mode:
    """What ``--progress`` means here: ``auto`` is a bar on a terminal, and nothing otherwise."""
    if asked == "auto":
        return "bar" if sys.stderr.isatty() else "none"
    return "bar" if asked == "bar" else "plain" if asked == "plain" else "none"


def drawn(mode: Mode) -> bool:
    """Whether somebody at a terminal sees a bar."""
    return mode == "bar" and sys.stderr.isatty()


@contextmanager
def shown(mode: Mode, *, streaming: bool = False) -> Iterator[None]:
    """Show how far the run is while the block runs; a bar without a terminal shows only its end.

    Args:
        mode: How.
        streaming: Whether the run has no end of its own, so that none is foretold.
    """
    if mode == "none":
        yield
    elif mode == "plain":
        with _repeated(_lines(streaming), PLAIN_SECONDS):
            yield
    else:
        with _bar(streaming) as refresh, _repeated(refresh, _REFRESH_SECONDS):
            yield


@contextmanager
def _repeated(work: Callable[[], None], seconds: float) -> Iterator[None]:
    """Do ``work`` every ``seconds`` seconds while the block runs, and once at its end."""
    stopped = threading.Event()

    def loop() -> None:
        while not stopped.wait(seconds):
            work()

    thread = threading.Thread(target=loop, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        work()


def _lines(streaming: bool) -> Callable[[], None]:
    """Prints a line on what has happened since it printed the last one."""
    before = Reading.now()

    def line() -> None:
        nonlocal before
        now = Reading.now()
        print(f"ingest: {line_of(now, before, streaming=streaming)}", file=sys.stderr, flush=True)
        before = now

    return line


@contextmanager
def _bar(streaming: bool) -> Iterator[Callable[[], None]]:
    """A bar, and what brings it up to date."""
    from rich.console import Console  # takes time, which a run without a terminal does not need
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    bar = Progress(
        BarColumn(bar_width=12),
        TaskProgressColumn(),
        TextColumn("{task.fields[line]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
    )
    task = bar.add_task("ingest", total=None, line="")
    readings = deque([Reading.now()], maxlen=_WINDOW)

    def refresh() -> None:
        now = Reading.now()
        bar.update(
            task,
            total=None if streaming else now.bytes_planned or None,
            completed=now.bytes_read,
            line=_short(now, readings[0], streaming=streaming),
        )
        bar.refresh()
        readings.append(now)

    with bar:
        yield refresh


def _short(now: Reading, before: Reading, *, streaming: bool) -> str:
    """What stands beside the bar, so short that it fits into 80 columns unless a service is away."""
    parts = [f"[bold red]{name} away {away:.0f} s[/]" for name, away in sorted(now.away.items())]
    parts += [f"{now.records:,} records", f"{now.rate(before):,.0f}/s", f"{now.dead:,} dead"]
    if now.retrying:
        parts.append(f"{now.retrying:,} retrying")
    left = None if streaming else now.left(before)
    if left is not None:
        parts.append(f"{left:,.0f} s left")
    if now.lag is not None:
        parts.append(f"lag {now.lag:,}")
    return ", ".join(parts)
