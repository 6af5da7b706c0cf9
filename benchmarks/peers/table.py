"""The results as a section of a page in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.peers.contest import Result
from benchmarks.peers.figures import Run, Spread, rates, ratios, spread
from benchmarks.peers.peer import FILES, YARDSTICKS
from benchmarks.peers.rounds import EMPTY, KNOWN

HEAD = """\
| | empty table, records/s | to the {0} | all keys known, records/s | to the {0} | CPU s | peak MiB |
|---|---|---|---|---|---|---|"""
REASON = 160
"""Characters of a reason that fit into a table."""


def section(source: str, records: int, results: Sequence[Result], machine: str) -> str:
    """One section: heading, table, and where and with what it was measured.

    Args:
        source: Where the records came from.
        records: How many there were.
        results: Those of the peers that read from there.
        machine: Where and when, in one sentence.
    """
    (yardstick,) = (r for r in results if r.peer.name == YARDSTICKS[source])
    lines = [f"### {heading(source, records)}", "", HEAD.format(yardstick.peer.title)]
    lines += [row(result, yardstick, records) for result in results]
    versions = dict.fromkeys(r.peer.versions for r in results if r.peer.packages)
    rounds = len(yardstick.runs[EMPTY])
    packages = ", ".join(versions) or "the locked ones"
    lines += ["", f"{machine} Rounds: {rounds}. Versions: {packages}."]
    return "\n".join(lines) + "\n"


def heading(source: str, records: int) -> str:
    """The title of a section, the same for the same measurement."""
    return f"{'Files' if source == FILES else 'Kafka'}, {records:,} records"


def row(result: Result, yardstick: Result, records: int) -> str:
    """The line of one peer."""
    empty, known = result.runs[EMPTY], result.runs[KNOWN]
    if result.reason or not empty or not known:
        return f"| {result.peer.title} | left out: {brief(result.reason)} | | | | | |"
    cells = [
        result.peer.title,
        whole(rates(records, empty.values())),
        fraction(ratios(yardstick.runs[EMPTY], empty)),
        whole(rates(records, known.values())),
        fraction(ratios(yardstick.runs[KNOWN], known)),
        cpu(list(empty.values())),
        f"{spread(run.peak_mib for run in empty.values()).most:,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def whole(figures: Spread) -> str:
    """A rate with its range, to three digits."""
    least, median, most = (f"{float(f'{value:.3g}'):,.0f}" for value in astuple(figures))
    return f"{median} ({least}–{most})"


def fraction(figures: Spread) -> str:
    """A ratio with its range; 1 where a program is compared with itself."""
    if figures.least == figures.most == 1:
        return "1"
    return f"{figures.median:.2f} ({figures.least:.2f}–{figures.most:.2f})"


def cpu(runs: Sequence[Run]) -> str:
    """CPU seconds of the program and of the server, medians."""
    own, server = spread(r.cpu for r in runs), spread(r.server_cpu for r in runs)
    return f"{own.median:.1f} + {server.median:.1f}"


def brief(reason: str) -> str:
    """A reason that fits into one cell: its first and its last line, without bars."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()] or ["no runs"]
    parts = lines if len(lines) == 1 else [lines[0], lines[-1]]
    most = REASON // len(parts)
    cut = (part if len(part) <= most else f"{part[: most - 1]}…" for part in parts)
    return " … ".join(cut).replace("|", "/").replace("`", "'")


def astuple(figures: Spread) -> tuple[float, float, float]:
    """Least, median and most."""
    return figures.least, figures.median, figures.most
