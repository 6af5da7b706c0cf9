from __future__ import annotations

from sinks.objects.encoding.origins import Origins
from transforms.batch.expansion import Branch
from transforms.batch.record import JSON, RecordBatch, Span

ORIGINS = Origins(
    "kafka://h/t",
    "3",
    [7, 7, 8],
    elements=[0, 1, None],
    expansions=[(), (Branch(1, 2, "Lines"),), ()],
)


def lists(origins: Origins, *, elements: bool) -> list[list[object]]:
    return [column.to_pylist() for column in origins.columns(elements=elements)]


def test_source_and_partition_stand_in_every_row() -> None:
    assert lists(ORIGINS, elements=False) == [["kafka://h/t"] * 3, ["3"] * 3, [7, 7, 8]]


def test_element_and_expansion_tell_the_records_of_an_offset_apart() -> None:
    assert lists(ORIGINS, elements=True)[3:] == [[0, 1, 0], [None, "1/2:Lines", None]]
    assert ORIGINS.several


def test_the_records_of_one_message_each_have_neither() -> None:
    single = Origins("s", "p", [1, 2])
    assert lists(single, elements=True)[3:] == [[0, 0], [None, None]]
    assert not single.several


def test_some_of_them_keep_what_belongs_to_each() -> None:
    assert lists(ORIGINS.pick([1, 2]), elements=True)[2:] == [
        [7, 8],
        [1, 0],
        ["1/2:Lines", None],
    ]


def test_those_of_a_batch_are_those_of_its_good_records() -> None:
    batch = RecordBatch(Span("s", "p", 0, 9), JSON, [2, 5], [b"a", b"b"], elements=[0, 3])
    assert Origins.of(batch) == Origins("s", "p", [2, 5], [0, 3])


def test_lists_that_are_joined_keep_what_belongs_to_each() -> None:
    plain = Origins("kafka://h/t", "3", [9])
    assert Origins.joined([plain]) is plain
    assert Origins.joined([plain, plain]) == Origins("kafka://h/t", "3", [9, 9])
    assert lists(Origins.joined([plain, ORIGINS]), elements=True)[2:] == [
        [9, 7, 7, 8],
        [0, 0, 1, 0],
        [None, None, "1/2:Lines", None],
    ]
