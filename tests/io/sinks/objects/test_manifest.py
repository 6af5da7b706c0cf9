from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from sinks.objects import manifest
from sinks.objects.manifest import (
    Change,
    Entry,
    Listed,
    Root,
    Segment,
    as_bytes,
    changed,
    entries_from,
    root_from,
)
from transforms.errors import SinkFailed

AT = datetime(2026, 11, 26, tzinfo=UTC)


def entry(number: int) -> Entry:
    return Entry(f"orders/{number}", "orders", number, 10 * number, f"etag-{number}")


class Manifest:
    """A manifest, with its segments in memory."""

    def __init__(self) -> None:
        self.root = Root(sink="id", number=0)
        self.segments: dict[str, tuple[Entry, ...]] = {}
        self.loaded: list[str] = []

    def change(self, added: Sequence[int] = (), removed: Sequence[int] = ()) -> Change | None:
        change = changed(
            self.root,
            [entry(number) for number in added],
            [f"orders/{number}" for number in removed],
            self.load,
            lambda number: f"{self.root.number}-{number}",
            AT,
        )
        if change is not None:
            self.root = change.root
            self.segments.update(change.segments)
        return change

    def load(self, segment: Segment) -> tuple[Entry, ...]:
        self.loaded.append(segment.name)
        return self.segments[segment.name]

    @property
    def numbers(self) -> list[int]:
        entries = [e for s in self.root.segments for e in self.segments[s.name]]
        return sorted(e.rows for e in (*entries, *self.root.objects))


def test_objects_are_added_and_the_number_grows() -> None:
    subject = Manifest()
    subject.change([1, 2])
    subject.change([3])
    assert (subject.numbers, subject.root.number) == ([1, 2, 3], 2)
    assert subject.root.published_at == AT


def test_what_the_manifest_says_already_changes_nothing() -> None:
    subject = Manifest()
    subject.change([1, 2])
    assert subject.change([2]) is None
    assert subject.change([], [9]) is None
    assert (subject.numbers, subject.root.number) == ([1, 2], 1)


def test_a_swap_is_one_change() -> None:
    subject = Manifest()
    subject.change([1, 2, 3])
    subject.change([6], [1, 2])
    assert (subject.numbers, subject.root.number) == ([3, 6], 2)


def test_old_objects_go_into_segments_and_the_root_stays_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(manifest, "SEGMENT_OBJECTS", 4)
    subject = Manifest()
    for number in range(1, 31):
        subject.change([number])
        assert len(subject.root.objects) < 2 * 4
    assert subject.numbers == list(range(1, 31))
    assert {segment.objects for segment in subject.root.segments} == {4}
    assert subject.loaded == [], "to add objects reads no segment"


def test_what_was_just_added_is_in_no_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its entry in the state may be lost with a crash: then it is added again.
    monkeypatch.setattr(manifest, "SEGMENT_OBJECTS", 2)
    subject = Manifest()
    subject.change([1, 2, 3, 4, 5])
    assert subject.root.segments == ()
    assert subject.change([1, 2, 3, 4, 5]) is None
    subject.change([1, 2, 3, 4, 5, 6])
    assert subject.numbers == [1, 2, 3, 4, 5, 6]


def test_an_object_is_taken_out_of_its_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "SEGMENT_OBJECTS", 3)
    subject = Manifest()
    for number in range(1, 10):
        subject.change([number])
    before = {segment.name for segment in subject.root.segments}
    assert len(before) >= 2
    subject.change([20], [1, 9])
    assert subject.numbers == [2, 3, 4, 5, 6, 7, 8, 20]
    assert len(before - {segment.name for segment in subject.root.segments}) == 1


def test_a_manifest_is_json_and_read_back_as_it_was() -> None:
    subject = Manifest()
    subject.change([1, 2])
    content = as_bytes(subject.root)
    assert json.loads(content)["objects"][0]["name"] == "orders/1"
    assert root_from(content, "m") == subject.root
    assert entries_from(as_bytes(Listed((entry(1),))), "s") == (entry(1),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "m is not a manifest of Sluice"),
        (b'{"objects": []}', "m is not a manifest of Sluice"),
        (b"\xff", "m is not a manifest of Sluice"),
        (b'{"sink": "a", "number": 1, "version": 2}', "m has version 2, .* knows version 1"),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(SinkFailed, match=message):
        root_from(content, "m")
