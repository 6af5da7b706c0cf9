from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from pipelines import command
from pipelines import compact as compact_command
from runners import streams
from sinks.database import leases
from sinks.database.engine import transaction
from sinks.database.tables import leases as lease_table
from sinks.objects.config import ObjectConfig
from sinks.objects.publish import Publisher
from tests.io.sinks.objects.filled_lake import FilledLake
from tests.pipelines.commands import audit


@pytest.fixture
def lake(tmp_path: Path) -> FilledLake:
    """Three published objects of one dataset, one of another."""
    lake = FilledLake.within(tmp_path)
    for number in range(3):
        lake.settle(f"t/{number}.parquet", [{"n": number}], start=number, pending=True)
    lake.settle("u/a.parquet", [{"n": 9}], start=9, pending=True)
    lake.publisher.publish()
    return lake


def compacted(lake: FilledLake, *more: str) -> int:
    """The exit code of the command."""
    argv = ["--sink", lake.sink, "--state", lake.database.url, *more]
    return command.run("compact", compact_command.main, argv)


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What ``--json`` has printed."""
    (entry,) = json.loads(capsys.readouterr().out)
    return dict(entry)


def by_manifest(lake: FilledLake) -> list[Any]:
    """The values of all rows, as a reader of the manifest sees them."""
    names = [entry.name for entry in lake.publisher.entries()]
    return sorted(n for name in names for n in pq.read_table(lake.folder / name)["n"].to_pylist())


def test_small_objects_are_merged_and_the_manifest_says_so(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compacted(lake, "--json", "--reason", "too many", "--by", "ada") == 0
    done = printed(capsys)
    assert (done["merged"], done["written"], done["rows"], done["deleted"]) == (3, 1, 3, 0)
    assert done["folders"] == [{"folder": "t", "merged": 3, "written": 1}]
    assert by_manifest(lake) == [0, 1, 2, 9]
    assert len(lake.publisher.entries()) == 2
    assert done["manifest"] == lake.publisher.root()[0].number
    assert lake.trail() == [("compact", "ada", "too many", 3)]
    assert audit(lake.database.url, "--objects") == 0


def test_running_again_changes_nothing(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    compacted(lake)
    states, number = lake.states(), lake.publisher.root()[0].number
    assert compacted(lake) == 0
    assert (lake.states(), lake.publisher.root()[0].number) == (states, number)
    assert "0 small objects become 0" in capsys.readouterr().out.splitlines()[-2]


def test_replaced_objects_are_deleted_after_a_while(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    compacted(lake)
    assert len(lake.data()) == 5
    assert compacted(lake, "--keep", "30m") == 0
    assert len(lake.data()) == 5
    lake.age(timedelta(minutes=30))
    capsys.readouterr()
    assert compacted(lake, "--keep", "30m", "--json") == 0
    assert printed(capsys)["deleted"] == 3
    assert len(lake.data()) == 2
    assert by_manifest(lake) == [0, 1, 2, 9]


def test_what_a_crash_left_is_published_first(lake: FilledLake) -> None:
    lake.update(1, state="replaced", pending=True)
    assert compacted(lake, "--keep", "1s") == 0
    assert by_manifest(lake) == [1, 2, 9]
    assert "t/0.parquet" in lake.data(), "its time begins with the manifest without it"


def test_a_dry_run_says_what_would_be_done(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.settle("t/o.parquet", [{"n": 1}], state="orphan")
    lake.age(timedelta(hours=2))
    states, names = lake.states(), lake.data()
    assert compacted(lake, "--dry_run", "--json") == 0
    done = printed(capsys)
    assert (done["dry_run"], done["merged"], done["written"]) == (True, 3, 1)
    assert (done["deleted"], done["names"]) == (1, ["t/o.parquet"])
    assert compacted(lake, "--dry_run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["t: 3 → 1", "delete t/o.parquet", "3 small objects would become 1"]
    assert lines[3].startswith("old objects to delete: 1 (")
    assert (lake.states(), lake.data()) == (states, names)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_dry_run_whose_output_is_lost_is_exit_1(
    lake: FilledLake, more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "lost", lambda: "No space left on device")
    assert compacted(lake, "--dry_run", *more) == 1


def test_what_cannot_be_merged_is_exit_1(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.store.delete("t/1.parquet")
    assert compacted(lake) == 1
    assert "left as it is: t/1.parquet is not there" in capsys.readouterr().out
    assert len(lake.settled()) == 3


def test_two_at_once_are_refused(lake: FilledLake, capsys: pytest.CaptureFixture[str]) -> None:
    root, _ = lake.publisher.root()
    with transaction(lake.database, "hold") as connection:
        far = root.published_at
        assert far is not None
        row = {"name": f"compact:{root.sink}", "holder": "x", "expires_at": far.replace(year=9000)}
        connection.execute(lease_table.insert().values(row))
    states = lake.states()
    assert compacted(lake) == 1
    assert "another compaction of" in capsys.readouterr().err
    assert lake.states() == states


def test_the_lease_is_given_up(lake: FilledLake) -> None:
    before = leases.number()
    for _ in range(2):
        assert compacted(lake) == 0
    assert leases.number() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_its_lease(
    lake: FilledLake,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
) -> None:
    held = leases.number()
    publish = Publisher.publish

    def signalled(self: Publisher) -> int | None:
        os.kill(os.getpid(), number)
        return publish(self)

    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "publish", signalled)
        assert compacted(lake) == 1
    assert f"compact: stopped by {number.name}" in capsys.readouterr().err
    assert leases.number() == held
    with transaction(lake.database, "look for leases") as connection:
        assert connection.scalars(sa.select(lease_table.c.holder)).all() == [""], "it is free"
    assert compacted(lake) == 0
    assert len(lake.settled()) == 2


def test_another_dataset_is_left_alone(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compacted(lake, "--table", "u", "--json") == 0
    assert printed(capsys)["merged"] == 0
    assert compacted(lake, "--table", "t", "--json") == 0
    assert printed(capsys)["merged"] == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--table", "x"], "there are no objects of --table x in file://"),
        (["--keep", "soon"], "a duration is written 30s, 15m, 12h or 7d"),
        (["--target_bytes", "much"], "must be a size such as 256MB"),
        (["--table", "a/b"], "is not a folder of objects"),
    ],
)
def test_a_mistake_is_one_line(
    lake: FilledLake, capsys: pytest.CaptureFixture[str], change: list[str], message: str
) -> None:
    assert compacted(lake, *change) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_a_sink_that_the_state_does_not_know_is_a_mistake(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--sink", "file:///elsewhere", "--state", lake.database.url]
    assert command.run("compact", compact_command.main, argv) == 2
    err = capsys.readouterr().err
    assert "knows nothing of file:///elsewhere" in err
    assert f"it is the state of {lake.sink}" in err


def test_a_state_that_is_no_state_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--sink", "file:///elsewhere", "--state", f"sqlite:///{tmp_path}/none.db"]
    assert command.run("compact", compact_command.main, argv) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_s3_is_compacted_likewise(
    tmp_path: Path, s3_endpoint: str, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = FilledLake.within(
        tmp_path, ObjectConfig.of(f"s3://{bucket}/lake", endpoint_url=s3_endpoint)
    )
    for number in range(3):
        lake.settle(f"t/{number}.parquet", [{"n": number}], start=number, pending=True)
    lake.publisher.publish()
    more = ("--s3_endpoint_url", s3_endpoint)
    assert compacted(lake, *more, "--json") == 0
    assert printed(capsys)["written"] == 1
    (entry,) = lake.publisher.entries()
    with lake.store.open(entry.name) as file:
        assert pq.read_table(file)["n"].to_pylist() == [0, 1, 2]
    lake.age(timedelta(hours=1))
    assert compacted(lake, *more, "--json") == 0
    assert printed(capsys)["deleted"] == 3
    assert lake.data() == [entry.name]
    assert audit(lake.database.url, "--objects", *more) == 0


def test_a_manifest_that_is_gone_is_exit_1(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.store.delete("_manifest.json")
    lake.update(1, pending=True)
    assert compacted(lake) == 1
    assert "_manifest.json is gone" in capsys.readouterr().err
