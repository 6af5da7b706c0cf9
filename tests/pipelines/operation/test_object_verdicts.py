from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.operation.object_verdicts import object_verdicts, print_all
from tests.io.sinks.objects.filled_lake import FilledLake
from tests.pipelines.commands import audit


@pytest.fixture
def lake(tmp_path: Path) -> FilledLake:
    """A sink with two objects that its manifest names."""
    lake = FilledLake.within(tmp_path)
    for number in range(2):
        lake.settle(f"t/{number}.jsonl.gz", [{"n": number}], start=number, pending=True)
    lake.publisher.publish()
    return lake


def audited(lake: FilledLake, *more: str) -> int:
    """The exit code of an audit of its state."""
    return audit(lake.database.url, *more)


def test_a_sink_that_is_right_has_no_findings(lake: FilledLake) -> None:
    (verdict,) = object_verdicts(lake.database.url, objects=True, endpoint_url=None)
    assert verdict.ok
    assert verdict.manifest == (lake.publisher.root()[0].number, 2)
    assert verdict.listing is not None
    assert verdict.listing.objects == 2


def test_without_being_asked_to_nobody_looks_at_the_objects(lake: FilledLake) -> None:
    lake.store.delete("t/0.jsonl.gz")
    (verdict,) = object_verdicts(lake.database.url, objects=False, endpoint_url=None)
    assert verdict.ok
    assert (verdict.manifest, verdict.listing) == (None, None)


def test_an_object_that_is_gone_is_exit_1(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.store.delete("t/0.jsonl.gz")
    assert audited(lake) == 0
    assert audited(lake, "--objects") == 1
    out = capsys.readouterr().out
    assert "NOT OK: t/0.jsonl.gz: settled, but not there" in out


def test_rows_that_the_ledger_does_not_count_are_exit_1(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.update(1, rows=5)
    assert audited(lake) == 1
    out = capsys.readouterr().out
    assert (
        f"p: {lake.target('t')} has 6 rows in 2 objects, but the ledger counts 2 as inserted" in out
    )


def test_a_manifest_that_is_gone_is_exit_1(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.store.delete("_manifest.json")
    assert audited(lake, "--objects") == 1
    assert "_manifest.json is gone" in capsys.readouterr().out


def test_json_has_an_object_for_each_sink(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.intend("0123456789ab", "t/i.parquet")
    lake.store.create("t/foreign", b"")
    assert audited(lake, "--json", "--objects") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["sink"] == lake.sink
    assert entry["ok"]
    assert entry["datasets"] == [
        {
            "pipeline": "p",
            "target": lake.target("t"),
            "objects": 2,
            "rows": 2,
            "bytes": entry["datasets"][0]["bytes"],
            "inserted": 2,
            "ok": True,
        }
    ]
    (intent,) = entry["intents"]
    assert intent["range"] == [0, 10]
    assert 0 <= intent["age_seconds"] < 60
    assert entry["manifest"]["objects"] == 2
    assert entry["listed"] == {
        "objects": 2,
        "waiting": 0,
        "foreign": 1,
        "foreign_names": ["t/foreign"],
    }


def test_people_see_what_waits_and_what_is_being_written(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(7):
        lake.intend("0123456789ab", "t/i.parquet", start=number)
    lake.settle("t/o.parquet", [{"n": 1}], state="orphan")
    verdicts = object_verdicts(lake.database.url, objects=False, endpoint_url=None)
    assert print_all(verdicts) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{lake.sink}: 2 rows in 2 objects, 2 inserted"
    assert lines[1] == "  1 of nobody"
    assert lines[2].endswith("by p: s (0) 0–10")
    assert lines[-1] == "  … 2 more ranges are being written"


def test_objects_of_one_source_cannot_be_told_apart(
    lake: FilledLake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audited(lake, "--objects", "--source", "s3://b/*") == 2
    assert "leave out --source" in capsys.readouterr().err
