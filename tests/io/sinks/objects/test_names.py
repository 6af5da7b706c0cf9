from __future__ import annotations

import re

from sinks.objects.names import full_name, jobs_name, new_id, range_name


def test_a_name_holds_partition_and_range_in_order() -> None:
    names = [range_name("kafka://events", "7", start, start + 5, "0" * 12) for start in (5, 50)]
    assert names == sorted(names)
    assert re.fullmatch(r"[0-9a-f]{8}-7-000000000005-000000000010-0{12}", names[0])


def test_a_partition_of_any_text_makes_a_name_of_a_file() -> None:
    for partition in ('"9b2f/é..-', "..", "/", "v" * 500):
        name = range_name("file:///a", partition, 0, 1, new_id())
        assert re.fullmatch(r"[A-Za-z0-9.-]{1,100}", name)
        assert not name.startswith((".", "_"))
    assert range_name("s", "a/b", 0, 1, "i") != range_name("s", "a-b", 0, 1, "i")


def test_no_two_intents_have_the_same_names() -> None:
    assert len({new_id() for _ in range(100)}) == 100


def test_folders_come_before_the_name() -> None:
    assert full_name("", "", jobs_name(1, 2, "i"), ".parquet").startswith("jobs-")
    assert full_name("orders", "dt=1/type=a", "n", ".jsonl.gz") == "orders/dt=1/type=a/n.jsonl.gz"
