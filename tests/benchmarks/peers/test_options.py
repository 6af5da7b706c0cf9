"""The command line: sizes, names of peers, and what does not fit on the disk."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks.peers.__main__ import amount, chosen, main, with_yardsticks


@pytest.mark.parametrize(
    ("text", "number"), [("20k", 20_000), ("1M", 1_000_000), ("100m", 100_000_000), ("250", 250)]
)
def test_a_size_may_have_a_unit(text: str, number: int) -> None:
    assert amount(text) == number


@pytest.mark.parametrize("text", ["", "k", "0", "-1", "1.5M", "1G", "many"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a number such as 20k"):
        amount(text)


def test_peers_run_in_their_own_order_with_the_yardstick_of_their_source() -> None:
    names = [peer.name for peer in with_yardsticks(chosen("dlt,sluice"))]
    assert names == ["plain", "sluice", "dlt"]
    assert [peer.name for peer in with_yardsticks(chosen("bytewax"))] == ["plain-loop", "bytewax"]


def test_an_unknown_peer_is_named() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"no peer is called duck: server, plain"):
        chosen("sluice,duck")


def test_more_records_than_the_disk_takes_are_refused_before_anything_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--records", "1000000M", "--peers", "sluice", "--folder", str(tmp_path)]
    assert main(flags) == 2
    assert "GiB are free: take fewer, another --folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--folder", "/no/such/folder"])
    assert "'/no/such/folder' is not a folder" in capsys.readouterr().err
