"""The path of a record costs about what it costs the plain loader, and not twice as much as it did."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from benchmarks.peers.figures import Run
from benchmarks.peers.peer import PEERS
from benchmarks.peers.records import laid_out
from benchmarks.peers.rounds import EMPTY, KNOWN, MODES
from benchmarks.peers.stage import Stage

FEW, MANY = 1_000, 150_000
ROUNDS = 2
PATIENCE = 120.0
START = "start"
FLOORS = {EMPTY: 0.5, KNOWN: 0.35}
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
    runs: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for _ in range(ROUNDS):
        for peer in (PLAIN, OURS):
            with stage.database(peer) as dsn:
                runs[peer.name, START].append(stage.run(peer, None, few, dsn, PATIENCE))
            with stage.database(peer) as dsn:
                for mode in MODES:
                    runs[peer.name, mode].append(stage.run(peer, None, many, dsn, PATIENCE))

    ratios = {}
    for mode in MODES:
        plain, ours = (
            least_cpu(runs[peer.name, mode]) - least_cpu(runs[peer.name, START])
            for peer in (PLAIN, OURS)
        )
        ratios[mode] = plain / ours
    assert {mode: ratio for mode, ratio in ratios.items() if ratio < FLOORS[mode]} == {}


def least_cpu(runs: list[Run]) -> float:
    """CPU seconds, those of the server too.

    Not the time that passed: whatever else the machine does is in it. A busy machine makes CPU time
    longer as well, but never shorter: the least counts.
    """
    return min(run.cpu + run.server_cpu for run in runs)
