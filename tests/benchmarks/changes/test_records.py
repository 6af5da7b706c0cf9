from __future__ import annotations

import json
from collections import Counter
from typing import Any

from benchmarks.changes.records import Source, disturbed


def test_the_newest_events_of_a_topic_give_the_rows_of_the_source() -> None:
    source = Source(keys=20, fields=3)
    newest: dict[int, dict[str, Any]] = {}
    times: Counter[int] = Counter()
    for partition, id_, text in disturbed(source, 400, partitions=4):
        event = json.loads(text)
        lsn = event["source"]["lsn"]
        times[lsn] += 1
        assert 0 <= partition < 4
        if lsn >= newest.get(id_, event)["source"]["lsn"]:
            newest[id_] = event
    assert sorted(times) == list(range(1, 401))
    assert max(times.values()) == 2
    rows = {id_: event["after"] for id_, event in newest.items() if event["after"] is not None}
    assert rows == {id_: source.row(id_, lsn) for id_, lsn in source.rows.items()}
    assert source.row(7, 400) == {"id": 7, "n": 400, "f0": 400, "f1": 401, "f2": 402}


def test_columns_come_one_after_another_and_the_last_before_the_end() -> None:
    source = Source(keys=20, fields=3)
    list(source.changes(300))
    first = [next(n for n in range(300) if len(source.columns(n)) == size) for size in (1, 2, 3)]
    assert first == [90, 180, 270]
