"""The rows that the rewound topic must leave: other ones in each conflict mode, and those of each fault."""

from __future__ import annotations

from benchmarks.steering.records import FAULTS, KEYS_SHARE, expected, failing, messages, value_of

RECORDS = 4_000
ALL = tuple(FAULTS.values())


def test_each_mode_leaves_another_record_of_a_key() -> None:
    key = 5
    of_key = [value_of(n, RECORDS) for n in range(RECORDS) if value_of(n, RECORDS)["id"] == key]
    assert len(of_key) == KEYS_SHARE
    wanted = {
        "ignore": of_key[0],
        "update": of_key[-1],
        "newest:t": max(of_key, key=lambda value: int(value["t"])),
    }
    assert len({value["v"] for value in wanted.values()}) == 3
    for mode, value in wanted.items():
        (row,) = [row for row in expected(RECORDS, mode, ALL) if row[0] == key]
        assert row == (value["id"], value["t"], value["v"], None)


def test_a_record_whose_fault_is_not_repaired_leaves_no_row() -> None:
    every = expected(RECORDS, "update", ALL)
    for fault in ALL:
        repaired = [other for other in ALL if other != fault]
        rows = expected(RECORDS, "update", repaired)
        assert len(every) - len(rows) == failing(RECORDS, fault) == RECORDS // 100
        assert fault not in {row[3] for row in rows}


def test_all_records_of_a_key_are_in_one_partition() -> None:
    partitions: dict[int, set[int]] = {}
    for number, (_, _, partition) in enumerate(messages(RECORDS)):
        partitions.setdefault(value_of(number, RECORDS)["id"], set()).add(partition)
    assert {len(of_key) for of_key in partitions.values()} == {1}
