"""Random JSON texts, and where their values stand according to Python's ``json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from sources.files.framing import Framer

_DECODER = json.JSONDecoder(strict=False)
_SPACES = " \t\r\n"

texts = st.text(st.sampled_from('ab"\\{}[],: \n\t/é€😀\x1f'), max_size=6)
spaces = st.text(st.sampled_from(_SPACES), max_size=3)

_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-99, 99), st.floats(allow_nan=False), texts
)
values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, values, max_size=4)


@st.composite
def written(draw: st.DrawFn, value: object) -> str:
    """A value as JSON, escaped and indented in one way or another."""
    return json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, None, 0, 2, "\t"])),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", "\r\n:\t")])),
    )


@dataclass(frozen=True)
class Text:
    """A text, and the offset and bytes of each of its records."""

    data: bytes
    records: Sequence[tuple[int, bytes]]


def records_in(text: str, at: int, skipped: str, end: str) -> Iterator[tuple[int, bytes]]:
    """Each value from ``at`` on up to ``end``, as ``raw_decode`` sees it."""
    while True:
        while at < len(text) and text[at] in skipped:
            at += 1
        if at == len(text) or text[at] == end:
            return
        _, stop = _DECODER.raw_decode(text, at)
        yield len(text[:at].encode()), text[at:stop].encode()
        at = stop


def _text(text: str, records: Iterator[tuple[int, bytes]], mark: bytes) -> Text:
    shifted = [(len(mark) + offset, raw) for offset, raw in records]
    return Text(mark + text.encode(), shifted)


marks = st.sampled_from([b"", b"", b"\xef\xbb\xbf"])


@st.composite
def arrays(draw: st.DrawFn, elements: st.SearchStrategy[object] = values) -> Text:
    """An array."""
    text, start = draw(_array(elements))
    text = draw(spaces) + text
    start += len(text) - len(text.lstrip(_SPACES))
    text += draw(spaces)
    return _text(text, records_in(text, start, f"{_SPACES},", "]"), draw(marks))


@st.composite
def _array(draw: st.DrawFn, elements: st.SearchStrategy[object]) -> tuple[str, int]:
    parts = [
        draw(spaces) + draw(written(element)) + draw(spaces)
        for element in draw(st.lists(elements, max_size=6))
    ]
    return f"[{','.join(parts) or draw(spaces)}]", 1


@st.composite
def wrapped(draw: st.DrawFn) -> tuple[Text, tuple[str, ...]]:
    """An array within objects, and the path to it."""
    path = tuple(
        draw(st.lists(st.sampled_from(["Records", "a b", 'q"', "é"]), min_size=1, max_size=3))
    )
    text, start = draw(_array(values))
    for name in reversed(path):
        others = draw(
            st.dictionaries(texts.filter(lambda key: key not in path), values, max_size=2)
        )
        before = "".join(
            f"{draw(written(key))}{draw(spaces)}:{draw(written(other))}{draw(spaces)},"
            for key, other in others.items()
        )
        after = "".join(
            f",{draw(spaces)}{draw(written(key))}:{draw(written(other))}"
            for key, other in others.items()
        )
        head = "{" + draw(spaces) + before + draw(spaces) + draw(written(name)) + draw(spaces) + ":"
        head += draw(spaces)
        text, start = head + text + draw(spaces) + after + draw(spaces) + "}", start + len(head)
    return _text(text, records_in(text, start, f"{_SPACES},", "]"), draw(marks)), path


@st.composite
def sequences(draw: st.DrawFn) -> Text:
    """Values one after another; numbers and words have something behind them."""
    text = ""
    for value in draw(st.lists(objects | values, max_size=6)):
        text += draw(st.sampled_from(["", "", "\n", " ", "\r\n", "\x1e"]))
        text += draw(written(value))
        if not isinstance(value, dict | list | str):
            text += draw(st.sampled_from(["\n", " ", "\x1e"]))
    return _text(text, records_in(text, 0, f"{_SPACES}\x1e", ""), draw(marks))


def cut(framer: Framer, data: bytes, *cuts: int, start: int = 0) -> list[tuple[int, bytes]]:
    """The records that a framer cuts, fed in blocks that end at ``cuts``; it must reach the end."""
    edges = sorted({start, len(data), *(edge for edge in cuts if start < edge < len(data))})
    for low, high in pairwise(edges):
        framer.feed(data[low:high])
    framer.finish()
    assert framer.next == len(data)
    assert framer.framed.refused == []
    return list(zip(framer.framed.offsets, framer.framed.raws, strict=True))
