from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.proposal.sampling.places import HEAD, Place


def place(path: Path, offset: int, head: bytes, number: int = 2) -> Place:
    return Place(path.as_uri(), offset, number, head[:HEAD])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_line_of_a_record_is_counted(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "a b%.csv"
    content = end.join([b"id,note", b"1,x", b"2,y", b""])
    path.write_bytes(content)
    there = place(path, content.index(b"2,y"), b"2,y")
    assert (there.text, there.text_with_source) == ("line 3", "line 3 of a b%.csv")
    assert there.has_line


@pytest.mark.parametrize(
    ("offset", "head"), [(4, b"other"), (1_000, b"1"), (0, b"")], ids=["another", "behind", "none"]
)
def test_without_lines_it_is_the_number_of_the_record(
    tmp_path: Path, offset: int, head: bytes
) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"\x1f\x8b\n\n\n1,2")
    assert place(path, offset, head, 1_234).text == "record 1,234"
    assert not place(path, offset, head).has_line


def test_objects_topics_and_files_that_are_gone_have_no_lines(tmp_path: Path) -> None:
    assert place(tmp_path / "gone", 3, b"x").text == "record 2"
    assert Place("s3://bucket/a/b.csv", 3, 7, b"x").text_with_source == "record 7 of b.csv"
    assert Place("kafka://shop.orders", 3, 7, b"x").text_with_source == "record 7 of shop.orders"


def test_lines_far_behind_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    lines = [b"%d,%s" % (n, b"x" * (n % 1_000)) for n in range(500)]
    path.write_bytes(b"\n".join(lines))
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    for number in (499, 0, 250, 498, 131):
        assert place(path, offsets[number], lines[number]).text == f"line {number + 1}"
