"""All peers in turns: first a small set, which shows who works and how fast, then the rounds."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers.environment import environment_of
from benchmarks.peers.figures import Run
from benchmarks.peers.peer import OURS, YARDSTICKS, Peer
from benchmarks.peers.process import Failed
from benchmarks.peers.records import Records
from benchmarks.peers.rounds import MODES, expected_seconds, order
from benchmarks.peers.stage import Stage, audited

FEW = 1_000
MORE = 50_000
"""Records of the two trials."""

WITH_TWO = 500_000
"""From as many records on, the second trial costs less than what it may save."""

TRIAL_SECONDS = 600.0
A_DAY = 86_400.0
NEVER_LEFT_OUT = frozenset((*YARDSTICKS.values(), *OURS.values()))


@dataclass(slots=True)
class Result:
    """What came out for one peer.

    Attributes:
        peer: Which.
        environment: Its environment, once it is there.
        runs: Its runs, by mode and round.
        expected: Seconds that one run will take, as the trials say; 0 without trials.
        reason: Why it has none, or no more: a few words; empty if all is well.
    """

    peer: Peer
    environment: Path | None = None
    runs: dict[str, dict[int, Run]] = field(default_factory=lambda: {mode: {} for mode in MODES})
    expected: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Contest:
    """A measurement that is to be made.

    Attributes:
        stage: Where.
        few: A set of ``FEW`` records.
        more: One of ``MORE``; None below ``WITH_TWO`` records.
        records: What is measured.
        rounds: How often.
        limit: Seconds that a run may take; a peer that needs longer is left out.
    """

    stage: Stage
    few: Records
    more: Records | None
    records: Records
    rounds: int
    limit: float

    def results(self, peers: Sequence[Peer]) -> list[Result]:
        """Run all of them.

        Raises:
            Failed: A yardstick, or this project, failed: nothing can be compared.
        """
        results = [Result(peer) for peer in peers]
        for result in results:
            with sparing(result):
                self._try(result)
        for number, result in order(results, self.rounds):
            if not result.reason:
                with sparing(result):
                    self._measure(result, number)
        return results

    def _try(self, result: Result) -> None:
        """Make the environment and run the trials."""
        if result.peer.requirements:
            result.environment = environment_of(result.peer.requirements)
        few = self._trial(result, self.few)
        if self.more is None:
            return
        more = self._trial(result, self.more)
        result.expected = expected_seconds(
            self.records.sums.rows,
            (self.few.sums.rows, few.seconds),
            (self.more.sums.rows, more.seconds),
        )
        if result.expected > self.limit and result.peer.name not in NEVER_LEFT_OUT:
            minutes, most = result.expected / 60, self.limit / 60
            raise Failed(f"one run would take about {minutes:,.1f} minutes, the limit is {most:g}")

    def _trial(self, result: Result, records: Records) -> Run:
        with self.stage.database(result.peer) as dsn:
            return self._run(result, records, dsn, TRIAL_SECONDS)

    def _run(self, result: Result, records: Records, dsn: str, patience: float) -> Run:
        run = self.stage.run(result.peer, result.environment, records, dsn, patience)
        if result.peer.name in OURS.values():
            audited(dsn, records.sums.rows)
        return run

    def _measure(self, result: Result, number: int) -> None:
        """One run in each mode."""
        needed = result.peer.name in NEVER_LEFT_OUT
        patience = A_DAY if needed else 3 * max(self.limit, result.expected)
        with self.stage.database(result.peer) as dsn:
            for mode in MODES:
                run = self._run(result, self.records, dsn, patience)
                result.runs[mode][number] = run
                print(
                    f"round {number + 1} of {self.rounds}, {result.peer.name}, {mode}: "
                    f"{self.records.sums.rows / run.seconds:,.0f}/s, {run.seconds:.1f} s, "
                    f"CPU {run.cpu:.1f} + {run.server_cpu:.1f} s, {run.peak_mib:.0f} MiB",
                    file=sys.stderr,
                    flush=True,
                )


@contextmanager
def sparing(result: Result) -> Iterator[None]:
    """Let a failure end the part of this peer only, and say so.

    Raises:
        Failed: The yardstick, or this project, failed.
    """
    try:
        yield
    except Failed as error:
        if result.peer.name in NEVER_LEFT_OUT:
            raise Failed(f"{result.peer.name}: {error}") from error
        result.reason = str(error)
        print(f"LEFT OUT: {result.peer.name}: {error}", file=sys.stderr, flush=True)
