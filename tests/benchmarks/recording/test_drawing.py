"""The picture of a terminal shows each frame at its time."""

from __future__ import annotations

from xml.etree import ElementTree

from benchmarks.recording.drawing import Frame, picture, shortened

_SVG = "{http://www.w3.org/2000/svg}"


def test_equal_frames_are_one_and_long_ones_are_cut() -> None:
    frames = [
        Frame(0.0, ("$ a",)),
        Frame(0.5, ("$ a",)),
        Frame(10.0, ("$ a", "b")),
        Frame(11.0, ("$ a", "b", "c")),
    ]
    assert shortened(frames, 2.0) == [
        Frame(0.0, ("$ a",)),
        Frame(2.0, ("$ a", "b")),
        Frame(3.0, ("$ a", "b", "c")),
    ]


def test_each_frame_is_shown_from_its_time_on_to_the_next() -> None:
    svg = picture([Frame(0.0, ("$ <a>",)), Frame(6.0, ("b",))], "A & B", columns=20, rows=4)
    root = ElementTree.fromstring(svg)
    assert [text.text for text in root.iter(f"{_SVG}text")] == ["$ <a>", "b"]
    assert root.findtext(f"{_SVG}title") == "A & B"
    assert "@keyframes f0 { 0%, 60.0%, 100% { opacity: 0 } 0.0% { opacity: 1 } }" in svg
    assert "@keyframes f1 { 0%, 100.0%, 100% { opacity: 0 } 60.0% { opacity: 1 } }" in svg
    assert "animation: f1 10.00s" in svg


def test_of_a_longer_screen_the_last_lines_are_shown() -> None:
    svg = picture([Frame(0.0, ("a", "b", "c"))], "t", columns=20, rows=2)
    assert [text.text for text in ElementTree.fromstring(svg).iter(f"{_SVG}text")] == ["b", "c"]
