"""Retention: what it says, what is old enough, and deletion in bounded transactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sinks.jobs import audit_trail, retention
from sinks.jobs import chunks as job_chunks
from sinks.jobs.retention import LONGEST, Kept, Retention, duration, oldest, prunable, prune
from sinks.runs.runs import Run
from sinks.table.config import SqlConfig
from tests.io.sinks.expiry.gone_keys import forget_later, marked, settled
from tests.io.sinks.jobs.stored_jobs import counted, prepared, refuse_audit, store, stored, trail
from tests.io.sinks.tested_database import Database
from transforms.batch.counts import COUNTS
from transforms.batch.job_states import JOB_STATES
from transforms.errors import ConfigError, SinkFailed
from transforms.route.table_name import UNROUTED


def finished(state: str, age: timedelta) -> dict[str, Any]:
    """A job that reached its state ``age`` ago."""
    return {"state": state, f"{state}_at": datetime.now(UTC) - age}


def pruned(config: SqlConfig, *texts: str, target: str | None = None) -> dict[str, int]:
    return prune(config.database, target, Retention.parse(texts), actor="ann", reason="retention")


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("0s", 0), ("30s", 30), ("15m", 900), ("12h", 43_200), ("7d", 604_800), ("036500d", None)],
    )
    def test_a_number_and_a_unit(self, text: str, seconds: int | None) -> None:
        assert duration(text) == (LONGEST if seconds is None else timedelta(seconds=seconds))

    @pytest.mark.parametrize(
        "text",
        ["", "7", "d", "-1d", "1.5h", "7 d", "7D", "7w", "1d2h", "٣d", "36501d", "9" * 12 + "d"],
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigError, match="a duration is written"):
            duration(text)


class TestParse:
    def test_each_state_has_its_duration(self) -> None:
        rules = Retention.parse(["completed=12h", "discarded=30d"]).periods
        assert dict(rules) == {"completed": timedelta(hours=12), "discarded": timedelta(days=30)}
        assert Retention.parse([]).periods == ()
        assert Retention.parse(["deletes=60d"]) == Retention(deletes=timedelta(days=60))

    @pytest.mark.parametrize(
        ("texts", "message"),
        [
            (["completed"], "STATE=DURATION"),
            (["=7d"], "STATE=DURATION"),
            (["available=7d"], "completed, cancelled, discarded"),
            (["completed=x"], "a duration is written"),
            (["completed=7d", "completed=8d"], "names completed twice"),
            (["deletes=59m"], "give at least deletes=1h"),
        ],
    )
    def test_nonsense_is_refused(self, texts: list[str], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            Retention.parse(texts)


class TestPrune:
    def test_only_what_has_been_in_a_named_state_for_longer(self, database: Database) -> None:
        config = prepared(database)
        old, young = timedelta(hours=3), timedelta(hours=1)
        kinds = [
            finished("completed", old),
            finished("completed", young),
            finished("discarded", old),
            finished("discarded", young),
            finished("cancelled", old),
            {"state": "retryable", "discarded_at": None},
        ]
        store(config, *kinds)
        before = counted(config)
        rules = Retention.parse(["completed=2h", "discarded=2h"])
        assert prunable(config.database, None, rules) == {"completed": 1, "discarded": 1}
        assert oldest(config.database, None, rules, 1) == [1]
        assert oldest(config.database, None, rules, 9) == [1, 3]
        assert len(stored(config, "id")) == 6
        assert pruned(config, "completed=2h", "discarded=2h") == {"completed": 1, "discarded": 1}
        assert stored(config, "offset") == [1, 3, 4, 5]
        assert counted(config) == before

    def test_nothing_unfinished_is_ever_deleted(self, database: Database) -> None:
        config = prepared(database)
        store(config, *({"state": state} for state in JOB_STATES))
        texts = [f"{state}=0s" for state in ("completed", "cancelled", "discarded")]
        assert pruned(config, *texts) == {"completed": 1, "cancelled": 1, "discarded": 1}
        assert stored(config, "state") == list(JOB_STATES[:5])

    def test_a_target_narrows(self, database: Database) -> None:
        config = prepared(database)
        store(config, {})
        store(config, {}, target="others")
        assert prunable(config.database, "others", Retention.parse(["discarded=1d"])) == {
            "discarded": 1
        }
        assert pruned(config, "discarded=1d", target="others") == {"discarded": 1}
        assert stored(config, "target") == ["events"]

    def test_each_transaction_is_bounded_and_has_its_entry(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(job_chunks, "CHUNK", 3)
        config = prepared(database)
        store(config, *[{}] * 7)
        assert pruned(config, "discarded=1d", "completed=1d") == {"discarded": 7, "completed": 0}
        assert trail(config) == [("prune", 3), ("prune", 3), ("prune", 1)]
        entry = audit_trail.entries(config.database)[0]
        assert (entry.actor, entry.reason) == ("ann", "retention")
        assert entry.filter["states"] == ["discarded"]
        bound = datetime.fromisoformat(entry.filter["before"])
        assert abs(datetime.now(UTC) - timedelta(days=1) - bound) < timedelta(seconds=60)

    def test_where_nothing_is_deleted_there_is_no_entry(self, database: Database) -> None:
        config = prepared(database)
        store(config, {})
        assert pruned(config, "completed=0s") == {"completed": 0}
        assert trail(config) == []

    def test_no_deletion_without_its_entry(self, database: Database) -> None:
        config = prepared(database)
        store(config, {})
        refuse_audit(database)
        with pytest.raises(SinkFailed, match="not today"):
            pruned(config, "discarded=1d")
        assert stored(config, "state") == ["discarded"]

    def test_without_the_tables_there_is_nothing_to_do(self, database: Database) -> None:
        config = database.config(key=["id"])
        rules = Retention.parse(["completed=1d"])
        assert pruned(config, "completed=1d") == {"completed": 0}
        assert prunable(config.database, None, rules) == {"completed": 0}
        assert oldest(config.database, None, rules, 5) == []


def test_a_running_pipeline_deletes_its_jobs_of_all_tables_and_no_others(
    database: Database,
) -> None:
    config = prepared(database)
    old = finished("completed", timedelta(days=9))
    store(config, {**old, "pipeline": "router"}, target="orders")
    store(config, {**old, "pipeline": "other"}, target="orders", partition="q")
    store(config, {**old, "pipeline": "other"}, target=UNROUTED)
    store(config, {**old, "pipeline": "router"}, target=UNROUTED, partition="q")
    store(config, {**old, "pipeline": "other"})
    rules = Retention.parse(["completed=7d"])
    for kept, number in ((Kept(UNROUTED, "router"), 2), (Kept("events", "router"), 1)):
        assert prunable(config.database, kept, rules) == {"completed": number}
        done = prune(config.database, kept, rules, actor="ingest", reason="--retain")
        assert done == {"completed": number}
    assert sorted(stored(config, "target", "pipeline")) == [
        (UNROUTED, "other"),
        ("orders", "other"),
    ]
    assert trail(config)[0]


class TestRuns:
    """Entries of ended runs, kept for a time."""

    def test_it_is_read_beside_the_states_of_jobs(self) -> None:
        rules = Retention.parse(["discarded=30d", "runs=90d"])
        assert dict(rules.periods) == {"discarded": timedelta(days=30)}
        assert rules.runs == timedelta(days=90)
        assert Retention.parse(["discarded=30d"]).runs is None
        with pytest.raises(ConfigError, match="names runs twice"):
            Retention.parse(["runs=1d", "runs=2d"])

    def test_only_those_that_ended_long_ago_go_with_their_workers(self, database: Database) -> None:
        config = prepared(database)
        for number in ("old", "young", "newest"):
            ran(database, number)
        heartbeat(database, "old", 40)
        heartbeat(database, "young", 5)
        aged(database, "old", days=40)
        aged(database, "young", days=5)
        rules = Retention.parse(["runs=30d"])
        assert prunable(config.database, None, rules) == {"runs": 1}
        assert pruned(config, "runs=30d") == {"runs": 1}
        assert kept_runs(database) == {"young", "newest"}
        assert database.rows("SELECT run FROM ingest_workers") == [("young",)]
        entry = audit_trail.entries(config.database)[0]
        assert (entry.action, entry.actor, entry.count) == ("prune", "ann", 1)
        assert entry.filter["of"] == "runs"
        assert pruned(config, "runs=30d") == {"runs": 0}
        assert trail(config) == [("prune", 1)]

    def test_what_goes_on_stays_and_what_is_lost_goes(self, database: Database) -> None:
        config = prepared(database)
        for number in ("heard", "lost", "newest"):
            ran(database, number, ends=False)
        heartbeat(database, "heard", 0)
        heartbeat(database, "lost", 40)
        for number in ("heard", "lost"):
            aged(database, number, days=50)
        assert pruned(config, "runs=30d") == {"runs": 1}
        assert kept_runs(database) == {"heard", "newest"}

    def test_a_run_that_nobody_heard_for_an_hour_is_not_over_yet(self, database: Database) -> None:
        config = prepared(database)
        for number in ("silent", "newest"):
            ran(database, number, ends=False)
        aged(database, "silent", days=0.5)
        assert pruned(config, "runs=1h") == {"runs": 0}

    def test_the_newest_of_each_pipeline_stays(self, database: Database) -> None:
        config = prepared(database)
        ran(database, "a")
        ran(database, "b", pipeline="other")
        for number in ("a", "b"):
            aged(database, number, days=400)
        assert pruned(config, "runs=1d") == {"runs": 0}

    def test_a_running_pipeline_deletes_its_own_only(self, database: Database) -> None:
        config = prepared(database)
        for number, pipeline in (("a", "events"), ("b", "other"), ("c", "events"), ("d", "other")):
            ran(database, number, pipeline=pipeline)
        for number in ("a", "b"):
            aged(database, number, days=400)
        done = prune(
            config.database, Kept("events"), Retention.parse(["runs=1d"]), actor="i", reason="r"
        )
        assert done == {"runs": 1}
        assert kept_runs(database) == {"b", "c", "d"}

    def test_each_transaction_is_bounded(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retention, "RUN_CHUNK", 2)
        config = prepared(database)
        for number in range(6):
            ran(database, str(number))
            aged(database, str(number), days=50 - number)
        assert pruned(config, "runs=1d") == {"runs": 5}
        assert trail(config) == [("prune", 2), ("prune", 2), ("prune", 1)]


def ran(database: Database, id_: str, *, pipeline: str = "events", ends: bool = True) -> None:
    run = Run(id_, database.config(), pipeline, "DirectRunner", "1.2.3")
    run.begin()
    if ends:
        run.end("completed")


def aged(database: Database, id_: str, *, days: float) -> None:
    """Let a run have begun and ended, if it has, so long ago."""
    at = f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d %H:%M:%S}"
    database.run(
        f"UPDATE ingest_runs SET started_at = '{at}' WHERE id = '{id_}'",
        f"UPDATE ingest_runs SET ended_at = '{at}' WHERE id = '{id_}' AND ended_at IS NOT NULL",
    )


def heartbeat(database: Database, run: str, days: float) -> None:
    at = f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d %H:%M:%S}"
    names = ", ".join(COUNTS)
    zeros = ", ".join("0" for _ in COUNTS)
    database.run(
        f"INSERT INTO ingest_workers (name, run, started_at, heartbeat_at, {names}, figures) "
        f"VALUES ('w{run}', '{run}', '{at}', '{at}', {zeros}, '{{}}')"
    )


def kept_runs(database: Database) -> set[str]:
    return {run for (run,) in database.rows("SELECT id FROM ingest_runs")}


@pytest.mark.parametrize(
    ("target", "gone"),
    [
        (None, ["events", "others", "theirs"]),
        ("others", ["others"]),
        (Kept("events", "routed"), ["events", "others"]),
        (Kept(UNROUTED, "routed"), ["others"]),
    ],
)
def test_deletes_are_forgotten_where_the_pipeline_writes(
    database: Database, target: str | Kept | None, gone: list[str]
) -> None:
    prepared(database)
    settled(database, (0, 9), pipeline="routed", target="others")
    for number, table in enumerate(("events", "others", "theirs")):
        forget_later(database, 5, target=table, start=10 * number)
    rules = Retention.parse(["deletes=30d"])
    config = database.config(key=["id"])
    assert prunable(config.database, target, rules) == {"deletes": len(gone)}
    counted = prune(config.database, target, rules, actor="ann", reason="retention")
    assert counted == {"deletes": len(gone)}
    assert [table for table, _, _ in marked(database)] == gone
    assert trail(config) == [("prune", 1)] * len(gone)
