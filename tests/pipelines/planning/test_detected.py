"""What is said of how objects and messages are written."""

from __future__ import annotations

from dataclasses import replace

from pipelines.planning.detected import MOST_OBJECTS, Detected, detected
from tests.io.sinks.tested_database import make_batch
from transforms.batch.record import Format
from transforms.notes import Note


def test_csv_has_a_header_a_delimiter_and_a_compression() -> None:
    written = Format("csv", columns=("a", "b"), delimiter=";", quote="'", encoding="utf-16")
    name = "file:///data/a.csv.gz"
    batch = replace(make_batch([{"a": 1}], source=name), format=written)
    assert detected([batch, batch], []) == (
        Detected(name, 2, "csv", "gzip", "utf-16", ";", "'", ("a", "b")),
    )


def test_json_has_the_fields_of_its_records() -> None:
    batch = make_batch([{"b": 1, "a": {"c": 2}}, {"d": 1, "a": 2}], source="kafka://topic")
    broken = replace(batch, raws=[b"{", b"[1]"])
    (one,) = detected([broken, batch], [])
    assert (one.format, one.columns, one.records) == ("json", ("b", "a", "d"), 4)
    assert (one.delimiter, one.compression) == ("", "")


def test_what_the_content_showed_is_said() -> None:
    names = ("file:///a", "file:///b")
    notes = [
        Note("detected", "zstd", 1, ("file:///a",)),
        Note("detected", "not compressed", 1, ("file:///b.gz",)),
        Note("passed_over", "empty", 2, names),
    ]
    batches = [make_batch([{"a": 1}], source=name) for name in ("file:///a", "file:///b.gz")]
    one, other = detected(batches, notes)
    assert (one.compression, one.remarks) == ("zstd", ("zstd",))
    assert (other.compression, other.remarks) == ("", ("not compressed",))


def test_of_many_objects_the_first_are_described() -> None:
    batches = [make_batch([{"a": 1}], source=f"file:///{n}") for n in range(50)]
    assert len(detected(batches, [])) == MOST_OBJECTS
    assert detected([make_batch([], end=0)], []) == ()
