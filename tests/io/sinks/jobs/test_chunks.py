"""Changes of many jobs are made in bounded transactions."""

from __future__ import annotations

import pytest

from sinks.jobs import chunks as job_chunks
from tests.io.sinks.jobs.stored_jobs import (
    DEAD,
    act,
    counted,
    prepared,
    refuse_audit,
    store,
    stored,
    trail,
)
from tests.io.sinks.tested_database import Database
from transforms.batch.job_states import CANCEL, PURGE, REPLAY
from transforms.errors import SinkFailed


def test_each_transaction_is_bounded_and_has_its_entry(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_chunks, "CHUNK", 3)
    config = prepared(database)
    store(config, *[DEAD] * 7)
    assert act(config, REPLAY, limit=5).count == 5
    assert act(config, CANCEL).count == 5
    assert act(config, PURGE, every_state=True).count == 7
    assert trail(config) == [
        *(("replay", 3), ("replay", 2)),
        *(("cancel", 3), ("cancel", 2)),
        *(("purge", 3), ("purge", 3), ("purge", 1)),
    ]
    assert stored(config, "id") == []


def test_a_failure_midway_says_what_was_done_before(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_chunks, "CHUNK", 2)
    config = prepared(database)
    store(config, *[DEAD] * 5)
    refuse_audit(database, after=1)
    with pytest.raises(SinkFailed, match="2 were changed before that"):
        act(config, REPLAY)
    assert stored(config, "state") == ["available"] * 2 + ["discarded"] * 3
    assert counted(config) == (3, 2)
    assert trail(config) == [("replay", 2)]
