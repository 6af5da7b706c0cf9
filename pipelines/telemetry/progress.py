"""How far a run is, shown on stderr: a bar for people, or lines now and then; of several sources, each."""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from pipelines.telemetry.by_source import Named, SourceReading, readings
from pipelines.telemetry.reading import Reading, line_of
from pipelines.terminal import safe
from transforms.secrets import redact

Mode = Literal["bar", "plain", "none"]

PLAIN_SECONDS = 10.0
"""Between two plain lines."""

MOST_SOURCES = 8
"""How many sources have a line of their own; the others share one."""

_NAME_WIDTH = 30

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


def level_beside(mode: Mode) -> int:
    """The level of log lines that say what a bar shows as well: those who see one need no more."""
    return logging.DEBUG if drawn(mode) else logging.INFO


@contextmanager
def shown(mode: Mode, sources: Sequence[Named] = (), *, streaming: bool = False) -> Iterator[None]:
    """Show how far the run is while the block runs; a bar without a terminal shows only its end.

    Args:
        mode: How.
        sources: What is read. Each of several has a line of its own; one is the whole run.
        streaming: Whether the run has no end of its own, so that none is foretold.
    """
    if mode == "none":
        yield
    elif mode == "plain":
        with _repeated(_lines(_Rows(sources, streaming), streaming), PLAIN_SECONDS):
            yield
    else:
        rows = _Rows(sources, streaming)
        with _bar(rows, streaming) as refresh, _repeated(refresh, _REFRESH_SECONDS):
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


class _Rows:
    """A line for each of several sources, on what has happened over the last few readings.

    Args:
        sources: All of them.
        streaming: Whether they have no end of their own.
    """

    def __init__(self, sources: Sequence[Named], streaming: bool) -> None:
        self._sources = sources if len(sources) > 1 else ()
        self._streaming = streaming
        self._names = [_name(source.uri) for source in self._sources[:MOST_SOURCES]]
        more = len(self._sources) - len(self._names)
        if more:
            self._names.append(f"{more} more sources")

    def read(self) -> list[SourceReading]:
        """A reading for each line."""
        every = readings(self._sources) if self._sources else []
        rest = every[MOST_SOURCES:]
        return [*every[:MOST_SOURCES], *([sum(rest, SourceReading())] if rest else ())]

    def lines(self, now: Sequence[SourceReading], before: Sequence[SourceReading]) -> list[str]:
        """The lines on what happened between two readings."""
        width = max(map(len, self._names), default=0)
        return [
            f"{name:{width}}  {_row(here, earlier, streaming=self._streaming)}"
            for name, here, earlier in zip(self._names, now, before, strict=True)
        ]


def _name(uri: str) -> str:
    """A URI, shortened in its middle: what tells sources apart is more often at the end."""
    name = safe(redact(uri))
    if len(name) <= _NAME_WIDTH:
        return name
    return f"{name[:9]}…{name[10 - _NAME_WIDTH :]}"


def _row(now: SourceReading, before: SourceReading, *, streaming: bool) -> str:
    parts = [f"{now.records:,} records", f"{now.rate(before):,.0f}/s"]
    left = None if streaming else now.left(before)
    if now.bytes_planned and not streaming:
        parts.insert(0, f"{min(1.0, now.bytes_read / now.bytes_planned):4.0%}")
    if left:
        parts.append(f"{left:,.0f} s left")
    if now.lag is not None:
        parts.append(f"lag {now.lag:,}")
    if now.dead:
        parts.append(f"{now.dead:,} dead")
    return ", ".join(parts)


def _lines(rows: _Rows, streaming: bool) -> Callable[[], None]:
    """Prints lines on what has happened since it printed the last ones."""
    before, earlier = Reading.now(), rows.read()

    def line() -> None:
        nonlocal before, earlier
        now, here = Reading.now(), rows.read()
        for text in (line_of(now, before, streaming=streaming), *rows.lines(here, earlier)):
            print(f"ingest: {text}", file=sys.stderr, flush=True)
        before, earlier = now, here

    return line


@contextmanager
def _bar(rows: _Rows, streaming: bool) -> Iterator[Callable[[], None]]:
    """A bar, and what brings it up to date."""
    from pipelines.telemetry.bar import (
        Bar,  # takes time, which a run without a terminal does not need
    )

    bar = Bar()
    task = bar.add_task("ingest", total=None, line="")
    past = deque([(Reading.now(), rows.read())], maxlen=_WINDOW)

    def refresh() -> None:
        now, here = Reading.now(), rows.read()
        before, earlier = past[0]
        bar.rows = rows.lines(here, earlier)
        bar.update(
            task,
            total=None if streaming else now.bytes_planned or None,
            completed=now.bytes_read,
            line=_short(now, before, streaming=streaming),
        )
        bar.refresh()
        past.append((now, here))

    with bar:
        yield refresh


def _short(now: Reading, before: Reading, *, streaming: bool) -> str:
    """What stands beside the bar, so short that it fits into 80 columns unless a service is away."""
    parts = [f"[bold red]{name} away {away:.0f} s[/]" for name, away in sorted(now.away.items())]
    if now.held:
        parts.append(f"[bold yellow]{now.held_in_words}[/]")
    parts += [f"{now.records:,} records", f"{now.rate(before):,.0f}/s", f"{now.dead:,} dead"]
    if now.retrying:
        parts.append(f"{now.retrying:,} retrying")
    left = None if streaming else now.left(before)
    if left:
        parts.append(f"{left:,.0f} s left")
    if now.lag is not None:
        parts.append(f"lag {now.lag:,}")
    return ", ".join(parts)
