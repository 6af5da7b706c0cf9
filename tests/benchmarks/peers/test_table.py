"""A table shows each peer beside the yardstick, or says why it is not there."""

from __future__ import annotations

from benchmarks.peers.contest import Result
from benchmarks.peers.figures import Run, Spread
from benchmarks.peers.peer import FILES, PEERS, Peer
from benchmarks.peers.rounds import EMPTY, KNOWN
from benchmarks.peers.table import REASON, brief, fraction, section, whole


def peer(name: str) -> Peer:
    return next(each for each in PEERS if each.name == name)


def result(name: str, empty: list[float], known: list[float], reason: str = "") -> Result:
    """Runs of so many seconds, with one CPU second, half a one of the server's, and 100 MiB."""
    runs = {
        mode: {number: Run(s, 1.0, 0.5, 100.0 + number) for number, s in enumerate(seconds)}
        for mode, seconds in ((EMPTY, empty), (KNOWN, known))
    }
    return Result(peer(name), runs=runs, reason=reason)


def rows(*results: Result) -> list[list[str]]:
    """The cells below the head of a table of 1,000 records."""
    text = section(FILES, 1_000, results, "Somewhere.")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


PLAIN = result("plain", [1.0, 2.0, 4.0], [1.0, 1.0, 1.0])


def test_rates_ratios_cpu_and_the_highest_peak_stand_in_a_row() -> None:
    _, row = rows(PLAIN, result("sluice", [2.0, 2.0, 2.0], [0.5, 1.0, 2.0]))
    assert row == [
        *("**this project**", "500 (500–500)", "1.00 (0.50–2.00)"),
        *("1,000 (500–2,000)", "1.00 (0.50–2.00)", "1.0 + 0.5", "102"),
    ]


def test_the_yardstick_is_not_compared_with_itself() -> None:
    (row,) = rows(PLAIN)
    assert (row[2], row[4]) == ("1", "1")


def test_a_peer_that_was_left_out_says_why_and_shows_no_figures() -> None:
    # Its first rounds went well: figures of fewer rounds than the others' would mislead.
    _, row = rows(PLAIN, result("dlt", [1.0], [1.0], reason="not installed: no | network"))
    assert row[:2] == ["dlt, merge", "left out: not installed: no / network"]
    assert not any(row[2:])


def test_every_row_has_as_many_cells_as_the_head() -> None:
    text = section(FILES, 1_000, [PLAIN, result("dlt", [], [], reason="a | b")], "Somewhere.")
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {8}


def test_a_section_says_how_many_records_rounds_and_which_versions() -> None:
    text = section(FILES, 1_000, [PLAIN, result("dlt", [1.0], [1.0])], "Somewhere.")
    assert text.startswith("### Files, 1,000 records\n")
    assert f"Somewhere. Rounds: 3. Versions: {peer('dlt').versions}." in text


def test_a_rate_has_three_digits() -> None:
    assert whole(Spread(99_949.0, 123_456.0, 9_876_543.0)) == "123,000 (99,900–9,880,000)"


def test_a_ratio_has_two_decimals() -> None:
    assert fraction(Spread(0.994, 1.005, 1.5)) == "1.00 (0.99–1.50)"


def test_a_long_reason_is_its_first_and_its_last_line() -> None:
    assert brief("it ended with 1: Traceback\n  File x\nKeyError: 'a'") == (
        "it ended with 1: Traceback … KeyError: 'a'"
    )
    assert len(brief("x" * 1_000)) == REASON
    assert brief("x" * 1_000 + "\nKeyError: 'a'").endswith("x… … KeyError: 'a'")
