"""A contest leaves out what fails or leaves wrong rows, says so, and goes on with the others."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.peers.contest import Contest, Result
from benchmarks.peers.peer import FILES, Load, Peer
from benchmarks.peers.process import Failed
from benchmarks.peers.records import laid_out
from benchmarks.peers.rounds import MODES
from benchmarks.peers.stage import Stage

LOADS = """
import sys, psycopg2
dsn, *paths = sys.argv[1:]
connection = psycopg2.connect(dsn)
cursor = connection.cursor()
cursor.execute("CREATE TEMP TABLE staging (LIKE events)")
for path in paths:
    cursor.copy_expert("COPY staging FROM STDIN", open(path, "rb"))
cursor.execute("INSERT INTO events SELECT * FROM staging ON CONFLICT DO NOTHING")
connection.commit()
"""


def program(text: str) -> Callable[[Load], list[str]]:
    def command(load: Load) -> list[str]:
        return [sys.executable, "-c", text, load.dsn, *map(str, load.records.ready)]

    return command


def scripted(name: str, text: str = LOADS) -> Peer:
    return Peer(name, name, FILES, program(text))


def contest(postgres: str, folder: Path, limit: float = 60.0) -> Contest:
    few, more, every = (
        laid_out(folder / name, number, 2, ready=True)
        for name, number in (("few", 10), ("more", 20), ("all", 40))
    )
    return Contest(Stage(folder, postgres, Path("psql")), few, more, every, 2, limit)


def reasons(results: list[Result]) -> dict[str, str]:
    return {result.peer.name: result.reason for result in results}


@pytest.mark.slow
def test_every_round_has_each_mode_and_what_a_run_cost(
    postgres_server: str, tmp_path: Path
) -> None:
    (result,) = contest(postgres_server, tmp_path).results([scripted("loads")])
    assert {mode: sorted(result.runs[mode]) for mode in MODES} == {mode: [0, 1] for mode in MODES}
    assert all(run.cpu > 0 and run.peak_mib > 0 for run in result.runs[MODES[0]].values())
    assert result.reason == ""


@pytest.mark.slow
def test_wrong_rows_leave_a_peer_out_and_the_others_go_on(
    postgres_server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peers = [
        scripted("loses", LOADS.replace("in paths", "in paths[:1]")),
        scripted(
            "changes", LOADS.replace("SELECT *", "SELECT event_id, 1, type, occurred_at, amount")
        ),
        scripted("drops", f"{LOADS}cursor.execute('DROP TABLE events')\nconnection.commit()"),
        scripted("fails", "raise SystemExit('no driver')"),
        scripted("loads"),
    ]
    results = contest(postgres_server, tmp_path).results(peers)
    said = reasons(results)
    assert said["loses"].startswith("wrong rows: (5,")
    assert said["changes"].startswith("wrong rows: (10,")
    assert said["drops"].startswith('wrong rows: relation "events" does not exist')
    assert "no driver" in said["fails"]
    assert said["loads"] == ""
    assert "LEFT OUT: fails: it ended with 1: no driver" in capsys.readouterr().err


@pytest.mark.slow
def test_a_peer_that_would_take_too_long_is_left_out_before_the_rounds(
    postgres_server: str, tmp_path: Path
) -> None:
    (result,) = contest(postgres_server, tmp_path, limit=0.0).results([scripted("loads")])
    assert result.reason.startswith("one run would take about")
    assert not any(result.runs.values())


@pytest.mark.slow
def test_without_its_yardstick_nothing_is_measured(postgres_server: str, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="plain: it ended with 1"):
        contest(postgres_server, tmp_path).results([scripted("plain", "raise SystemExit('gone')")])
