from __future__ import annotations

from collections.abc import Iterator

import pytest

from sources.files.aside.selection import EXCLUDED, KIND, MARKER, Selection, leave, set_aside
from sources.storage.objects import HIDDEN, StoredObject
from transforms import metrics, notes
from transforms.errors import ConfigError


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    metrics.reset()
    notes.reset()
    yield
    metrics.reset()
    notes.reset()


def reason(uri: str, selection: Selection, size: int = 1) -> str:
    (stored,) = selection.judged([StoredObject(uri, "v", size)])
    return stored.passed_over


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a.jsonl", ""),
        ("a.tab", ""),
        ("a.pq", ""),
        ("noext", ""),
        ("app.log.2026-11-25.gz", ""),
        ("events.jsonl.1", ""),
        ("a.png", KIND),
        ("a.avsc", KIND),
        ("a.jsonl.crc", KIND),
        ("x_$folder$", MARKER),
    ],
)
def test_names_of_kinds_that_cannot_be_read_are_passed_over(name: str, why: str) -> None:
    assert reason(f"s3://b/e/{name}", Selection()) == why


def test_an_empty_object_of_no_kind_marks_a_folder() -> None:
    assert reason("s3://b/e/folder", Selection(), size=0) == MARKER
    assert reason("s3://b/e/a.jsonl", Selection(), size=0) == ""


def test_with_format_every_name_is_read_but_markers() -> None:
    assert reason("s3://b/a.dat", Selection("jsonl")) == ""
    assert reason("file:///x_%24folder%24", Selection("jsonl")) == MARKER


@pytest.mark.parametrize(
    ("uri", "glob", "excluded"),
    [
        ("s3://b/e/a.tmp.csv", "*.tmp.csv", True),
        ("s3://b/e/a.csv", "e", False),
        ("s3://b/e/tmp/a.csv", "**/tmp/*", True),
        ("s3://b/tmp/a.csv", "**/tmp/*", True),
        ("s3://b/e/tmp/a.csv", "e/tmp/**", True),
        ("s3://b/e/tmp/a.csv", "s3://b/e/tmp/*", True),
        ("s3://other/e/tmp/a.csv", "s3://b/e/tmp/*", False),
        ("file:///d/a%20b.csv", "a b.csv", True),
        ("file:///d/tmp/x.csv", "/d/tmp/**", True),
        ("file:///d/tmp/x.csv", "**/tmp/*.csv", True),
        ("file:///d/tmpx/x.csv", "/d/tmp/**", False),
    ],
)
def test_exclude_takes_names_paths_and_uris(uri: str, glob: str, excluded: bool) -> None:
    assert reason(uri, Selection(exclude=("*.never", glob))) == (EXCLUDED if excluded else "")


def test_an_empty_exclude_is_refused() -> None:
    with pytest.raises(ConfigError, match="--exclude is empty"):
        Selection(exclude=("",))


def test_what_is_not_read_is_counted_and_named() -> None:
    assert not set_aside(StoredObject("s3://b/a", "v", 1))
    assert set_aside(StoredObject("s3://b/_a", "v", 1, passed_over=HIDDEN))
    assert set_aside(StoredObject("s3://b/c", "", 0, refused="cannot read s3://b/c"))
    leave("cannot read s3://b/d")
    assert metrics.tally() == {"objects_passed_over": 1, "objects_unavailable": 2}
    hidden, unavailable = notes.noted()
    assert (hidden.group, hidden.names) == (HIDDEN, ("s3://b/_a",))
    assert unavailable.names == ("cannot read s3://b/c", "cannot read s3://b/d")
