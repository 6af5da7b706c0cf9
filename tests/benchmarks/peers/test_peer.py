"""Every peer has a program, and its versions are pinned."""

from __future__ import annotations

import pytest

from benchmarks.peers.environment import FOLDER, version_of
from benchmarks.peers.peer import KAFKA, OURS, PEERS, PROGRAMS, YARDSTICKS


def test_names_are_there_once() -> None:
    names = [peer.name for peer in PEERS]
    assert len(set(names)) == len(names)
    assert {*YARDSTICKS.values(), *OURS.values()} <= set(names)


def test_the_yardstick_and_this_project_run_side_by_side() -> None:
    names = [peer.name for peer in PEERS]
    for source, yardstick in YARDSTICKS.items():
        assert abs(names.index(yardstick) - names.index(OURS[source])) == 1


def test_every_version_that_the_table_names_is_pinned() -> None:
    assert all(peer.versions for peer in PEERS if peer.requirements)


def test_every_line_of_requirements_pins_one_version() -> None:
    lines = [
        line
        for path in FOLDER.glob("*.txt")
        for line in path.read_text().splitlines()
        if not line.startswith("#")
    ]
    assert len(lines) > 50
    assert [line for line in lines if line.count("==") != 1 or line.endswith("==")] == []


def test_every_file_of_requirements_has_its_peer() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {
        peer.requirements for peer in PEERS if peer.requirements
    }


def test_what_is_not_pinned_has_no_version() -> None:
    with pytest.raises(KeyError, match=r"numpy is not pinned in sling\.txt"):
        version_of("sling", "numpy")


def test_programs_of_peers_import_nothing_of_ours() -> None:
    texts = [path.read_text() for path in PROGRAMS.glob("*.py")]
    assert len(texts) > 5
    assert not any("from benchmarks" in text or "from sinks" in text for text in texts)
    assert any(peer.source == KAFKA and peer.requirements for peer in PEERS)
