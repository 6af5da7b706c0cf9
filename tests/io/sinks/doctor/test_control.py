"""What operators hold is told, with who, why and since when."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

from sinks.database.tables import control as control_table
from sinks.doctor import control
from sinks.doctor.scope import Question
from tests.io.sinks.doctor.examined import insert, said, wrong
from tests.io.sinks.jobs.stored_jobs import prepared
from tests.io.sinks.tested_database import Database


def request(**fields: Any) -> dict[str, Any]:
    usual = {
        "pipeline": "p",
        "source": "",
        "state": "running",
        "generation": 0,
        "actor": "ann",
        "reason": "load",
        "changed_at": datetime.now(UTC) - timedelta(hours=3),
    }
    return {**usual, **fields}


def test_what_is_paused_or_draining_is_told(database: Database) -> None:
    prepared(database)
    insert(database, control_table, request())
    assert [item.level for item in said(database, control.check)] == ["ok"]
    insert(
        database,
        control_table,
        request(pipeline="q", state="paused"),
        request(pipeline="q", source="kafka://b/t", state="draining"),
    )
    items = wrong(database, control.check)
    assert {(item.where, item.figures["state"]) for item in items} == {
        ("q", "paused"),
        ("q", "draining"),
    }
    assert all("3 h by ann" in item.what and "load" in item.what for item in items)
    assert "sluice resume --pipeline q" in items[0].todo
    assert wrong(database, control.check, Question("p")) == []


def test_names_are_quoted_for_the_shell(database: Database) -> None:
    prepared(database)
    paused = request(pipeline="[bold]p<script>", source="file:///a b/*.csv", state="paused")
    insert(database, control_table, paused)
    (item,) = wrong(database, control.check)
    command = item.todo.partition(": ")[2]
    assert shlex.split(command)[2:] == [
        *("--pipeline", "[bold]p<script>"),
        *("--source", "file:///a b/*.csv"),
    ]


def test_a_limit_is_said_and_no_warning(database: Database) -> None:
    prepared(database)
    insert(database, control_table, request(max_rate=1_500.0))
    (item,) = said(database, control.check)
    assert (item.level, "1,500 records a second" in item.what) == ("ok", True)
