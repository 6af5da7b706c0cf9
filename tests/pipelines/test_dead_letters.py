from __future__ import annotations

import base64
import getpass
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.runs.runs import Run
from sinks.table.config import SqlConfig
from tests.io.sinks.jobs.stored_jobs import counted, prepared, store, stored, trail
from tests.io.sinks.tested_database import Database
from tests.pipelines.commands import audit, dead_letters, ingest


@pytest.fixture
def postgres(postgres_url: str) -> Database:
    return Database("postgres", postgres_url)


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database with three dead letters, one of which is not text."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "in.jsonl").write_bytes(b'{"id":"good"}\n{"id":\n[red]7[/red]\n"\xff\x00"\n')
    assert ingest(folder / "in.jsonl", f"sqlite:///{folder}/a.db", table="t") == 0
    return folder / "a.db"


@pytest.fixture
def sink(refused: Path, tmp_path: Path) -> str:
    """A copy of that database, for one test."""
    shutil.copy(refused, tmp_path / "a.db")
    return f"sqlite:///{tmp_path}/a.db"


def listed(sink: str, capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert dead_letters("list", "--sink", sink, "--json", *more) == 0
    jobs: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return jobs


def answer(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> Any:
    """What ``--json`` prints: always a list of objects."""
    capsys.readouterr()
    assert dead_letters(*argv, "--json") == code
    objects = json.loads(capsys.readouterr().out)
    assert isinstance(objects, list)
    return objects


def complaint(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line that a wrong use is answered with."""
    capsys.readouterr()
    assert dead_letters(*argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return str(line)


class TestList:
    def test_bytes_come_whole_whether_text_or_not(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        jobs = listed(sink, capsys)
        raws = [base64.b64decode(each["raw_base64"]) for each in jobs]
        assert raws == [b'"\xff\x00"', b"[red]7[/red]", b'{"id":']
        assert [each["text"] for each in jobs] == [None, "[red]7[/red]", '{"id":']
        assert [each["category"] for each in jobs] == ["invalid_utf8", "malformed", "malformed"]
        assert [each["offset"] for each in jobs] == [34, 21, 14]

    def test_filters_narrow_it_down(self, sink: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert len(listed(sink, capsys, "--category", "malformed")) == 2
        assert len(listed(sink, capsys, "--text", "red")) == 1
        assert len(listed(sink, capsys, "--state", "completed")) == 0
        assert len(listed(sink, capsys, "--stage", "write")) == 0
        assert len(listed(sink, capsys, "--table", "t", "--limit", "2")) == 2

    def test_payload_is_printed_as_it_is_and_never_as_markup(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        capsys.readouterr()
        assert dead_letters("list", "--sink", sink) == 0
        out = capsys.readouterr().out
        assert "[red]7[/red]" in out
        assert "3 of 3 discarded" in out


class TestShow:
    def test_one_is_shown_whole(self, sink: str, capsys: pytest.CaptureFixture[str]) -> None:
        job = listed(sink, capsys, "--category", "invalid_utf8")[0]["id"]
        assert dead_letters("show", "--sink", sink, "--id", str(job)) == 0
        out = capsys.readouterr().out
        assert "22 ff 00 22" in out
        assert "invalid_utf8" in out
        assert "Traceback" in out

    def test_an_unknown_number_is_one_line(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        capsys.readouterr()
        assert dead_letters("show", "--sink", sink, "--id", "999") == 2
        assert capsys.readouterr().err == (
            "dead_letters: there is no dead letter 999 in this database\n"
        )


class TestStats:
    def test_kinds_are_counted(self, sink: str, capsys: pytest.CaptureFixture[str]) -> None:
        capsys.readouterr()
        assert dead_letters("stats", "--sink", sink, "--json") == 0
        assert [
            (each["category"], each["count"]) for each in json.loads(capsys.readouterr().out)
        ] == [("invalid_utf8", 1), ("malformed", 2)]

    def test_the_oldest_of_each_kind_is_said(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        job = listed(sink, capsys, "--category", "invalid_utf8")[0]
        database = Database("sqlite", sink)
        at = datetime.now(UTC) - timedelta(hours=3)
        database.run(
            f"UPDATE ingest_jobs SET inserted_at = '{at:%Y-%m-%d %H:%M:%S.%f}', "
            f"state = 'cancelled' WHERE id = {job['id']}"
        )
        groups = answer(capsys, "stats", "--sink", sink, "--state", "all")
        oldest = {each["state"]: each for each in groups}
        assert oldest["cancelled"]["oldest_inserted_at"] == at.isoformat()
        assert 3 * 3600 <= oldest["cancelled"]["oldest_age_seconds"] < 3 * 3600 + 60
        assert oldest["discarded"]["oldest_age_seconds"] < 60
        assert answer(capsys, "stats", "--sink", sink, "--state", "completed") == []


class TestFilters:
    @pytest.mark.parametrize(
        ("flags", "number"),
        [
            (["--since", "1h"], 3),
            (["--until", "1h"], 0),
            (["--since", "2020-01-01", "--until", "2020-01-02T03:04:05+05:30"], 0),
            (["--since", "2020-01-01T00:00:00Z"], 3),
            (["--origin", "file://*"], 3),
            (["--source", "*/in.jsonl"], 3),
            (["--origin", "in.jsonl"], 0),
            (["--sqlstate", "23505"], 0),
            (["--id", "1", "--id", "3", "--id", "77"], 2),
            (["--exception", "' OR 1=1 --"], 0),
            (["--state", "all"], 3),
            (["--state", "retryable"], 0),
        ],
    )
    def test_each_narrows(
        self, sink: str, capsys: pytest.CaptureFixture[str], flags: list[str], number: int
    ) -> None:
        assert len(listed(sink, capsys, *flags)) == number

    @pytest.mark.parametrize(
        ("flags", "line"),
        [
            (["--since", "yesterday"], "--since must be a time"),
            (["--until", "-3h"], "--until"),
            (["--since", "0001-01-01T00:00:00+14:00"], "--since must be a time"),
            (["--since", "99999999d"], "--since must be a time"),
            (["--since", "1h", "--until", "2h"], "--since 1h is not before --until 2h"),
            (["--id", "x"], "must be a whole number"),
            (["--id", "9223372036854775808"], "must be a whole number"),
            (["--limit", "0"], "must be a whole number"),
            (["--state", "lost"], "lost"),
            (["--text", "\udcff"], "is not UTF-8"),
        ],
    )
    def test_nonsense_is_one_line(
        self, sink: str, capsys: pytest.CaptureFixture[str], flags: list[str], line: str
    ) -> None:
        assert line in complaint(capsys, "list", "--sink", sink, *flags)


class TestReplay:
    def test_what_it_did_is_said_and_entered(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        argv = ["replay", "--sink", sink, "--category", "malformed"]
        (done,) = answer(capsys, *argv, "--reason", "repaired", "--by", "ann")
        owners = [{"pipeline": "t", "steps": [], "mapped": False, "count": 2}]
        assert done.pop("owners") == owners
        assert done.pop("states") == {"discarded": 2}
        assert done == {"action": "replay", "count": 2, "left_alone": {}, "dry_run": False}
        assert {each["category"] for each in listed(sink, capsys)} == {"invalid_utf8"}
        again = listed(sink, capsys, "--state", "available")
        assert [(each["replays"], each["attempt"]) for each in again] == [(1, 0), (1, 0)]
        (entry,) = answer(capsys, "audit", "--sink", sink)
        assert (entry["action"], entry["actor"], entry["reason"]) == ("replay", "ann", "repaired")
        assert (entry["count"], entry["filter"]["category"]) == (2, "malformed")
        assert audit(sink) == 0

    def test_a_dry_run_shows_and_changes_nothing(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        config = Database("sqlite", sink).config("t", key=["id"])
        before = stored(config, "state", "replays", "scheduled_at")
        (done,) = answer(capsys, "replay", "--sink", sink, "--dry_run")
        assert (done["count"], done["dry_run"]) == (3, True)
        assert [each["offset"] for each in done["jobs"]] == [14, 21, 34]
        assert dead_letters("purge", "--sink", sink, "--dry_run") == 0
        assert "dry run: purge would change 3; nothing was changed" in capsys.readouterr().out
        assert stored(config, "state", "replays", "scheduled_at") == before
        assert trail(config) == []

    def test_a_dry_run_shows_at_most_twenty(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        database = Database("sqlite", f"sqlite:///{tmp_path}/b.db")
        store(prepared(database), *[{}] * 25)
        (done,) = answer(capsys, "replay", "--sink", database.url, "--dry_run", "--limit", "23")
        assert (done["count"], len(done["jobs"])) == (23, 20)

    def test_what_is_left_alone_is_said_line_by_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        database = Database("sqlite", f"sqlite:///{tmp_path}/b.db")
        store(prepared(database), {"replays": 2}, {"stage": "read", "raw": b""}, {}, {"replays": 9})
        argv = ["replay", "--sink", database.url, "--reason", "r"]
        assert dead_letters(*argv, "--max_replays", "2") == 0
        first, *rest = capsys.readouterr().out.splitlines()
        assert first.startswith("1 replayed")
        assert [line.split(":")[0] for line in rest] == [
            "1 of no pipeline",
            "1 left alone",
            "2 left alone",
        ]
        assert "no bytes" in rest[1]
        assert "--max_replays" in rest[2]

    def test_the_user_of_the_process_is_the_actor(
        self, sink: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert dead_letters("replay", "--sink", sink, "--reason", "r", "--limit", "1") == 0

        def nobody() -> str:
            raise KeyError("getpwuid(): uid not found: 4711")

        name = getpass.getuser()
        monkeypatch.setattr(getpass, "getuser", nobody)
        assert dead_letters("replay", "--sink", sink, "--reason", "r", "--limit", "1") == 0
        actors = [entry["actor"] for entry in answer(capsys, "audit", "--sink", sink)]
        assert actors == ["unknown", name]


class TestCancelAndPurge:
    def test_waiting_jobs_are_cancelled_and_then_purged(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        database = Database("sqlite", f"sqlite:///{tmp_path}/b.db")
        config = prepared(database)
        store(config, {"state": "retryable"}, {"state": "executing"}, {"state": "scheduled"}, {})
        flags = ["--sink", database.url, "--reason", "r"]
        (done,) = answer(capsys, "cancel", *flags)
        assert (done["count"], done["left_alone"]) == (2, {"executing": 1})
        (done,) = answer(capsys, "purge", *flags, "--state", "cancelled")
        assert done["count"] == 2
        assert stored(config, "state") == ["executing", "discarded"]
        assert counted(config) == (3, 1)

    @pytest.mark.parametrize(
        ("state", "lines"),
        [
            (
                "discarded",
                ["2 deleted (discarded): the ledger goes on counting their records as dead"],
            ),
            (
                "cancelled",
                ["1 deleted (cancelled): the ledger goes on counting their records as dead"],
            ),
            (
                "completed",
                ["1 deleted (completed): their attempts are forgotten; their records are"],
            ),
            ("all", ["2 deleted (discarded)", "1 deleted (cancelled)", "1 deleted (completed)"]),
        ],
    )
    def test_what_remains_of_purged_jobs_is_said_of_each_state(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], state: str, lines: list[str]
    ) -> None:
        database = Database("sqlite", f"sqlite:///{tmp_path}/b.db")
        config = prepared(database)
        store(config, {}, {"state": "cancelled"}, {"state": "completed"}, {})
        before = counted(config)
        assert dead_letters("purge", "--sink", database.url, "--reason", "r", "--state", state) == 0
        out = capsys.readouterr().out.splitlines()
        assert len(out) == len(lines)
        assert all(
            one.startswith(line) for one, line in zip(sorted(out), sorted(lines), strict=True)
        )
        assert counted(config) == before

    @pytest.mark.parametrize("action", ["replay", "cancel", "purge"])
    def test_nothing_to_change_is_said(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], action: str
    ) -> None:
        database = Database("sqlite", f"sqlite:///{tmp_path}/b.db")
        store(prepared(database), {"state": "executing"})
        assert dead_letters(action, "--sink", database.url, "--reason", "r") == 0
        left = ["1 left alone: being tried at this moment, left to finish"] * (action == "cancel")
        alone = "no other job matches" if left else "no job matches"
        assert capsys.readouterr().out.splitlines() == [f"nothing was changed: {alone}", *left]

    @pytest.mark.parametrize("action", ["replay", "cancel", "purge"])
    @pytest.mark.parametrize("reason", [[], ["--reason", "  "]])
    def test_a_reason_is_needed(
        self, sink: str, capsys: pytest.CaptureFixture[str], action: str, reason: list[str]
    ) -> None:
        line = complaint(capsys, action, "--sink", sink, *reason)
        assert line.startswith(f"dead_letters: {action} needs --reason TEXT")
        assert len(listed(sink, capsys)) == 3

    def test_a_state_that_it_is_not_for_is_refused(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        argv = ["purge", "--sink", sink, "--reason", "r", "--state", "available"]
        assert "available" in complaint(capsys, *argv)


class TestPrune:
    def test_what_was_kept_long_enough_goes(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        flags = ["--sink", sink, "--retain", "completed=7d", "--retain", "discarded=0s"]
        (done,) = answer(capsys, "prune", *flags, "--dry_run")
        assert (done["count"], len(done["jobs"])) == (3, 3)
        assert len(listed(sink, capsys)) == 3
        (done,) = answer(capsys, "prune", *flags)
        assert done == {
            "action": "prune",
            "count": 3,
            "left_alone": {},
            "dry_run": False,
            "states": {"completed": 0, "discarded": 3},
        }
        assert listed(sink, capsys) == []
        (entry,) = answer(capsys, "audit", "--sink", sink)
        assert (entry["action"], entry["reason"], entry["count"]) == ("prune", "retention", 3)

    def test_runs_are_pruned_by_hand_too(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        config = SqlConfig.of(sink, "events")
        for number in ("1", "2"):
            run = Run(number, config, "events", "DirectRunner", "1")
            run.begin()
            run.end("completed")
        flags = ["--sink", sink, "--retain", "runs=0s"]
        (done,) = answer(capsys, "prune", *flags, "--dry_run")
        assert (done["count"], done["states"]) == (1, {"runs": 1})
        capsys.readouterr()
        assert dead_letters("prune", *flags) == 0
        assert "1 deleted (runs): what they have settled stays" in capsys.readouterr().out

    def test_deletes_are_forgotten_by_hand_too(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        engine = sa.create_engine(sink)
        row = (
            "'00000000000000000000000000000001', 'events', NULL, 's', 'p', 7, 0, true, '2020-01-01'"
        )
        with engine.begin() as connection:
            connection.execute(sa.text(f"INSERT INTO ingest_positions VALUES ({row})"))
            connection.execute(sa.text("DELETE FROM ingest_jobs"))
        engine.dispose()
        flags = ["--sink", sink, "--retain", "deletes=30d"]
        (done,) = answer(capsys, "prune", *flags, "--dry_run")
        assert (done["count"], done["states"]) == (1, {"deletes": 1})
        assert dead_letters("prune", *flags) == 0
        assert "1 deleted (deletes): nobody remembers" in capsys.readouterr().out

    @pytest.mark.parametrize("retain", [[], ["--retain", "completed"], ["--retain", "lost=7d"]])
    def test_nonsense_is_one_line(
        self, sink: str, capsys: pytest.CaptureFixture[str], retain: list[str]
    ) -> None:
        assert "retain" in complaint(capsys, "prune", "--sink", sink, *retain)


class TestAudit:
    def test_the_newest_come_first_and_are_bounded(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        capsys.readouterr()
        assert dead_letters("audit", "--sink", sink) == 0
        assert "nothing has been replayed" in capsys.readouterr().out
        for number in (1, 2, 3):
            argv = ["--reason", f"[red]{number}", "--limit", "1"]
            assert dead_letters("replay", "--sink", sink, *argv) == 0
        entries = answer(capsys, "audit", "--sink", sink, "--limit", "2")
        assert [entry["reason"] for entry in entries] == ["[red]3", "[red]2"]
        assert dead_letters("audit", "--sink", sink) == 0
        assert "[red]1" in capsys.readouterr().out


def test_everything_works_on_postgres_and_with_binary(
    postgres: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    config = prepared(postgres)
    errors = [
        {"attempt": 1, "replay": 0, "at": "2026-03-01T12:00:00+00:00", "error": "first"},
        {"attempt": 1, "replay": 1, "at": "2026-03-02T12:00:00+00:00", "error": "second"},
    ]
    binary = {"raw": b"\xff\x00 100%_", "key": b"\xfekey", "replays": 1, "errors": errors}
    headers = '[["trace","/w=="],["none",null]]'
    (job, _) = store(config, {**binary, "headers": headers}, {"raw": b"100 _"})
    flags = ["--sink", postgres.url, "--text", "100%_"]
    (one,) = answer(capsys, "list", *flags)
    assert base64.b64decode(one["raw_base64"]) == binary["raw"]
    assert base64.b64decode(one["key_base64"]) == binary["key"]
    assert one["headers"] == [
        {"name": "trace", "value_base64": "/w=="},
        {"name": "none", "value_base64": None},
    ]
    assert dead_letters("show", "--sink", postgres.url, "--id", str(job)) == 0
    out = capsys.readouterr().out
    for line in (
        "attempt 1, 2026-03-01T12:00:00+00:00: first",
        "attempt 1, replay 1, 2026-03-02T12:00:00+00:00: second",
        "ff 00 20 31",
        "\\xfekey",
        "header trace",
        "2026-03-01T12:00:00+00:00",
    ):
        assert line in out
    (done,) = answer(capsys, "replay", *flags, "--reason", "it's 100%")
    assert done["count"] == 1
    assert stored(config, "id", "state", "replays")[0] == (job, "available", 2)
    assert answer(capsys, "audit", "--sink", postgres.url)[0]["reason"] == "it's 100%"
    assert answer(capsys, "stats", "--sink", postgres.url, "--state", "all")[0]["count"] == 1


@pytest.mark.parametrize("action", ["list", "stats", "audit", "replay"])
def test_an_unreachable_database_is_one_line(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql://u:secret-word@127.0.0.1:9/db"
    capsys.readouterr()
    reason = ["--reason", "r"] if action == "replay" else []
    assert dead_letters(action, "--sink", url, *reason) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dead_letters: cannot reach")
    assert "secret-word" not in line


def test_an_action_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert dead_letters() == 2
    assert (
        "list|show|stats|groups|replay|cancel|purge|adopt|prune|edit|orders|audit"
        in capsys.readouterr().err
    )
