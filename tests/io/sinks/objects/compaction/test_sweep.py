from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sinks.objects.compaction.sweep import FEW, REMEMBERED, Sweep, due, sweep
from tests.io.sinks.objects.filled_lake import BY, FilledLake

HOUR = timedelta(hours=1)
ROW = [{"n": 1}]


def work(lake: FilledLake) -> Sweep:
    return Sweep(lake.database, lake.store, lake.sink, HOUR, BY, lambda: None)


@pytest.fixture
def old(lake: FilledLake) -> FilledLake:
    """One object of each state, all older than they are kept."""
    for state in ("settled", "replaced", "orphan"):
        lake.settle(f"t/{state}.parquet", ROW, state=state)
    lake.age(2 * HOUR)
    return lake


def test_what_was_kept_long_enough_is_deleted(old: FilledLake) -> None:
    sizes = {name: stored.bytes for name, stored in old.store.names()}
    gone = sizes["t/replaced.parquet"] + sizes["t/orphan.parquet"]
    assert sweep(work(old)) == (2, gone)
    assert old.data() == ["t/settled.parquet"]
    assert old.states() == {
        "t/settled.parquet": "settled",
        "t/replaced.parquet": "deleted",
        "t/orphan.parquet": "deleted",
    }


def test_the_audit_trail_says_how_many(old: FilledLake) -> None:
    sweep(work(old))
    sweep(work(old))
    assert old.trail() == [("sweep", "ada", "because", 2)]


def test_what_is_due_can_be_listed(old: FilledLake) -> None:
    listed = [part.name for chunk in due(work(old)) for part in chunk]
    assert listed == ["t/replaced.parquet", "t/orphan.parquet"]
    assert len(old.data()) == 3


def test_younger_objects_stay(lake: FilledLake) -> None:
    lake.settle("t/a.parquet", ROW, state="replaced")
    lake.settle("t/b.parquet", ROW, state="orphan")
    lake.age(HOUR / 2)
    assert sweep(work(lake)) == (0, 0)
    assert len(lake.data()) == 2
    assert sweep(replace(work(lake), keep=timedelta(0)))[0] == 2


def test_what_the_manifest_still_names_stays(old: FilledLake) -> None:
    old.update(pending=True)
    assert sweep(work(old)) == (0, 0)
    assert len(old.data()) == 3


def test_the_time_of_an_object_begins_when_the_manifest_no_longer_names_it(old: FilledLake) -> None:
    old.update(pending=True)
    old.publisher.publish()
    old.age(HOUR / 2)
    assert [part.name for chunk in due(work(old)) for part in chunk] == ["t/orphan.parquet"]
    old.age(HOUR / 2)
    assert sweep(work(old))[0] == 2


def test_what_the_state_does_not_know_is_not_deleted(old: FilledLake) -> None:
    old.store.create("t/foreign.parquet", b"")
    sweep(work(old))
    sweep(work(old))
    assert "t/foreign.parquet" in old.data()


def test_what_an_open_intent_may_write_again_stays(lake: FilledLake) -> None:
    lake.settle("t/0-10-0123456789ab.parquet", ROW, state="orphan")
    lake.settle("t/0-10-ba9876543210.parquet", ROW, state="orphan")
    lake.age(2 * HOUR)
    lake.intend("0123456789ab", "t/other-0123456789ab.parquet")
    assert sweep(work(lake))[0] == 1
    assert lake.data() == ["t/0-10-0123456789ab.parquet"]


def test_an_orphan_that_was_settled_after_all_stays(lake: FilledLake) -> None:
    lake.settle("t/a.parquet", ROW, state="orphan")
    lake.age(2 * HOUR)
    lake.store.delete("t/a.parquet")
    lake.settle("t/a.parquet", ROW)
    assert sweep(work(lake)) == (0, 0)
    assert lake.data() == ["t/a.parquet"]


def test_another_sink_is_left_alone(lake: FilledLake) -> None:
    lake.settle("t/a.parquet", ROW, state="orphan", sink="file:///elsewhere")
    lake.age(2 * HOUR)
    assert sweep(work(lake)) == (0, 0)


@pytest.mark.parametrize("number", [1, FEW + 1])
def test_what_is_written_again_later_is_deleted_again(lake: FilledLake, number: int) -> None:
    names = [f"t/{n}.parquet" for n in range(number)]
    for name in names:
        lake.settle(name, ROW, state="orphan")
    lake.settle("t/settled.parquet", ROW)
    lake.age(2 * HOUR)
    sweep(work(lake))
    lake.store.create(names[-1], b"of a writer that was stopped for long")
    assert sweep(work(lake)) == (1, 0)
    assert lake.data() == ["t/settled.parquet"]


def test_a_sweep_that_ended_between_the_mark_and_the_deletion_is_finished(
    old: FilledLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(type(old.store), "delete", killed)
        with pytest.raises(Killed):
            sweep(work(old))
    assert len(old.data()) == 3
    assert sweep(work(old))[0] == 2
    assert old.data() == ["t/settled.parquet"]


def test_a_name_is_forgotten_in_the_end(old: FilledLake) -> None:
    sweep(work(old))
    old.age(REMEMBERED - HOUR)
    sweep(work(old))
    assert len(old.states()) == 3
    old.age(2 * HOUR)
    sweep(work(old))
    assert old.states() == {"t/settled.parquet": "settled"}
