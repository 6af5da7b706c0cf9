from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.proposal.sampling.kinds import Kind
from pipelines.proposal.sampling.survey import MOST_CELLS, MOST_COLUMNS, Survey
from transforms.batch.record import JSON, Format, RecordBatch, Span


def batch(
    values: list[dict[str, Any]], source: str = "kafka://t", *, csv: bool = False, **columns: Any
) -> RecordBatch:
    return RecordBatch(
        Span(source, "0", 0, len(values)),
        Format("csv", ("a",)) if csv else JSON,
        range(len(values)),
        [str(value).encode() for value in values],
        values,
        **columns,
    )


def test_records_of_several_batches_are_numbered_on() -> None:
    survey = Survey(10)
    survey.add(batch([{"a": 1}, {"a": 2, "b": "x"}]))
    survey.add(batch([{"a": "x"}, {"b": None}], "kafka://u"))
    assert (survey.records, list(survey.columns)) == (4, ["a", "b"])
    assert survey.columns["a"].kinds == {Kind.INTEGER: 2, Kind.TEXT: 1}
    assert survey.columns["a"].first == {Kind.INTEGER: 0, Kind.TEXT: 2}
    assert survey.where(2) == "record 1 of u"
    assert survey.where(1) == "record 2 of t"


def test_with_one_source_a_place_does_not_name_it() -> None:
    survey = Survey(10)
    survey.add(batch([{"a": 1}, {"b": 1}]))
    assert survey.where(1) == "record 2"


def test_cells_of_csv_are_text() -> None:
    survey = Survey(10)
    survey.add(batch([{"a": "7"}], csv=True))
    assert survey.cells
    assert survey.columns["a"].kinds == {Kind.INTEGER: 1}
    survey = Survey(10)
    survey.add(batch([{"a": "7"}]))
    assert survey.columns["a"].kinds == {Kind.TEXT: 1}


def test_too_many_names_are_not_collected() -> None:
    survey = Survey(10)
    survey.add(batch([{f"a{n}": n for n in range(MOST_COLUMNS + 1)}]))
    assert survey.crowded
    assert len(survey.columns) == MOST_COLUMNS


def test_of_many_values_it_is_not_remembered_what_tells_them_apart() -> None:
    survey = Survey(MOST_CELLS // 2)
    survey.add(batch([{"a": 1, "b": 1, "c": 1}]))
    assert [column.keys is None for column in survey.columns.values()] == [False, False, True]


def test_it_counts_keys_of_messages_and_notices_those_that_hold_several() -> None:
    survey = Survey(10)
    survey.add(batch([{"a": 1}, {"a": 2}], keys=[b"k", None]))
    assert (survey.messages, survey.keyed, survey.several) == (2, 1, False)
    survey.add(batch([{"a": 1}, {"a": 2}], elements=[None, 0]))
    assert (survey.messages, survey.several) == (2, True)


def test_a_place_leads_to_the_line_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    raw = str({"a": 1}).encode()
    path.write_bytes(raw + b"\n")
    survey = Survey(10)
    survey.add(batch([{"a": 1}], path.as_uri()))
    assert survey.where(0) == "line 1"
