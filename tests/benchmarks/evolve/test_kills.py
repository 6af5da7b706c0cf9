from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from benchmarks.evolve.kills import FIELDS, Meeting, record


def test_the_second_half_of_a_stream_has_the_new_fields() -> None:
    assert record(4, 10) == {"id": 4}
    assert record(15, 10) == {"id": 15, **{f"f{n}": 15 * n for n in range(FIELDS)}}


@pytest.mark.slow
def test_two_runs_that_are_killed_lose_nothing(postgres_url: str, tmp_path: Path) -> None:
    meeting = Meeting(postgres_url, tmp_path, 500)
    meeting.prepare()
    meeting.run([1.5, 2.0, 2.5, 3.0])
    assert meeting.faults() == []
    with psycopg.connect(postgres_url) as connection:
        connection.execute("DELETE FROM events WHERE id = 0")
        connection.commit()
        assert meeting.faults() == ["record 0 is {}"]
