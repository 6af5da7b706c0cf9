"""What the recorder looks at."""

from __future__ import annotations

import pytest

from benchmarks.recording.record import percent


@pytest.mark.parametrize(
    ("lines", "done"),
    [
        (("$ sluice ingest", "━━━━━━━━━━━━  43% 86,000 records, 34,086/s"), 43),
        (("━━━━━━━━━━━━ 100% 200,000 records", "━━━  7% 3 records"), 100),
        (("$ sluice ingest --max-dead 50%",), 0),
        ((), 0),
    ],
)
def test_how_far_a_run_is(lines: tuple[str, ...], done: int) -> None:
    assert percent(lines) == done
