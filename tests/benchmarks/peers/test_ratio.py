"""The path of a record costs about what it costs the plain loader, and not twice as much as it did."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.peers.figures import Run
from benchmarks.peers.peer import PEERS, Peer
from benchmarks.peers.records import Records, laid_out
from benchmarks.peers.rounds import EMPTY, KNOWN, MODES
from benchmarks.peers.stage import Stage

FEW, MANY = 1_000, 100_000
ROUNDS = 2
FLOORS = {EMPTY: 0.45, KNOWN: 0.35}
"""The least ratio of CPU time to the plain loader's: about half of what is usual."""

PLAIN, OURS = (next(peer for peer in PEERS if peer.name == name) for name in ("plain", "sluice"))


@pytest.mark.alone
@pytest.mark.slow
def test_a_record_costs_at_most_about_twice_what_is_usual_beside_the_plain_loader(
    postgres_server: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, postgres_server, Path("psql"))
    few = laid_out(tmp_path / "few", FEW, 2, ready=False)
    many = laid_out(tmp_path / "many", MANY, 2, ready=False)
    starts = {peer.name: one_run(stage, peer, few) for peer in (PLAIN, OURS)}
    runs: dict[tuple[str, str], list[Run]] = {}
    for _ in range(ROUNDS):
        for peer in (PLAIN, OURS):
            with stage.database(peer) as dsn:
                for mode in MODES:
                    run = stage.run(peer, None, many, dsn, 120)
                    runs.setdefault((peer.name, mode), []).append(run)

    ratios = {}
    for mode in MODES:
        plain, ours = (
            cpu_of_records(starts[peer.name], runs[peer.name, mode]) for peer in (PLAIN, OURS)
        )
        ratios[mode] = plain / ours
    assert {mode: ratio for mode, ratio in ratios.items() if ratio < FLOORS[mode]} == {}


def one_run(stage: Stage, peer: Peer, records: Records) -> Run:
    with stage.database(peer) as dsn:
        return stage.run(peer, None, records, dsn, 120)


def cpu_of_records(start: Run, runs: list[Run]) -> float:
    """CPU seconds, those of the server too, that the records took beyond a start.

    Not the time that passed: whatever else the machine does is in it. A busy machine makes CPU time
    longer as well, but never shorter: the least counts.
    """
    return min(run.cpu + run.server_cpu for run in runs) - start.cpu - start.server_cpu
