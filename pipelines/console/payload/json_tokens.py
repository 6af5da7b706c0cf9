"""A record as JSON, laid out and in tokens, with fields marked; numbers stay as they are written.

Whatever the record is, it costs bounded time and memory: nothing here recurses, or reads a number.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple

from pipelines.console.rendering.shown import shown
from transforms.batch.record import Format
from transforms.parse.csv.columns import names_of
from transforms.parse.csv.rows import rows_of
from transforms.parse.hidden.masking import Number, Pairs, parsed
from transforms.parse.typed_rows import TYPED

LIMIT = 1 << 20
"""Longer records are not read as JSON."""

TOKENS = 20_000
"""How many tokens are shown."""

STRING = 10_000
"""How many characters of a string are shown, and of a number a tenth of that."""

DEEPEST = 40
"""From this depth on, lines are not indented further."""

Kind = Literal["name", "string", "number", "word", "punctuation", "note"]
Path = tuple[str, ...]


class Token(NamedTuple):
    """A piece of the text.

    Attributes:
        text: Everything in it can be seen.
        kind: What it is; a ``note`` is not in the record.
        marked: Whether it belongs to a field that is marked.
    """

    text: str
    kind: Kind
    marked: bool = False


@dataclass(frozen=True, slots=True)
class JsonView:
    """A record as JSON.

    Attributes:
        tokens: The text in pieces; empty if it cannot be shown so.
        reason: Why it cannot be shown; empty if it can.
        present: Those of the marked paths that the record has.
    """

    tokens: tuple[Token, ...] = ()
    reason: str = ""
    present: frozenset[Path] = frozenset()


def as_json(raw: bytes, format_: Format, marked: Collection[Path] = ()) -> JsonView:
    """``raw`` as JSON, if it can be read as its format says.

    Args:
        raw: The bytes of a record.
        format_: How to read them.
        marked: The paths of fields to mark, each a sequence of names and indexes.
    """
    if len(raw) > LIMIT:
        return JsonView(reason=f"longer than {LIMIT:,} bytes")
    try:
        value = decoded(raw, format_)
    except (ValueError, LookupError, RecursionError, csv.Error) as error:
        kind = (
            "nested too deep" if isinstance(error, RecursionError) else "not readable as its format"
        )
        return JsonView(reason=kind)
    writer = _Writer(frozenset(path for path in marked if path))
    tokens = tuple(islice(writer.tokens(value), TOKENS + 1))
    if len(tokens) > TOKENS:
        tokens = (*tokens[:TOKENS], Token("\n… and more", "note"))
    return JsonView(tokens, present=frozenset(writer.present))


def decoded(raw: bytes, format_: Format) -> Any:
    """The value of a record, with objects as ``Pairs`` and numbers as ``Number``.

    Raises:
        ValueError, LookupError, RecursionError, csv.Error: It cannot be read.
    """
    if format_.name == "text":
        return raw.decode(format_.encoding or "utf-8")
    if format_.name == "csv":
        text = raw.decode(format_.encoding or "utf-8")
        (cells,) = rows_of([text], len(raw) + 1, format_)
        names = names_of(format_.columns)
        if len(names) != len(cells):
            return list(cells)
        return Pairs(list(zip(names, cells, strict=True)))
    if format_.name in TYPED and not raw.startswith(b"{"):
        row, *_ = parsed(raw.decode())
        return row
    return parsed(raw.decode(format_.encoding or "utf-8-sig"))


class _Step(NamedTuple):
    """What is left of an object or an array."""

    rest: Iterator[tuple[str, Any]]
    is_object: bool
    path: Path | None  # None where nothing further in can be marked
    marked: bool


class _Writer:
    def __init__(self, marked: frozenset[Path]) -> None:
        self._marked = marked
        self._longest = max(map(len, marked), default=0)
        self.present: set[Path] = set()

    def tokens(self, value: Any) -> Iterator[Token]:
        stack: list[_Step] = []
        yield from self._open(value, (), False, stack)
        fresh = True
        while stack:
            step = stack[-1]
            item = next(step.rest, None)
            if item is None:
                stack.pop()
                end = "}" if step.is_object else "]"
                yield Token(_line(len(stack)) + end, "punctuation", step.marked)
                fresh = False
                continue
            name, part = item
            yield Token(("" if fresh else ",") + _line(len(stack)), "punctuation", step.marked)
            path = None if step.path is None else (*step.path, name)
            hit = path in self._marked
            if hit and path is not None:
                self.present.add(path)
            if path is not None and len(path) >= self._longest:
                path = None
            marked = step.marked or hit
            if step.is_object:
                yield Token(_string(name), "name", marked)
                yield Token(": ", "punctuation", marked)
            depth = len(stack)
            yield from self._open(part, path, marked, stack)
            fresh = len(stack) > depth

    def _open(
        self, value: Any, path: Path | None, marked: bool, stack: list[_Step]
    ) -> Iterator[Token]:
        """A scalar, or the beginning of what is then on the stack."""
        if isinstance(value, Pairs) and value.items:
            stack.append(_Step(iter(value.items), True, path, marked))
            yield Token("{", "punctuation", marked)
        elif isinstance(value, Pairs):
            yield Token("{}", "punctuation", marked)
        elif isinstance(value, Number):
            yield Token(shown(_cut(value.text, STRING // 10)), "number", marked)
        elif isinstance(value, list) and value:
            items = ((str(index), part) for index, part in enumerate(value))
            stack.append(_Step(items, False, path, marked))
            yield Token("[", "punctuation", marked)
        elif isinstance(value, list):
            yield Token("[]", "punctuation", marked)
        elif isinstance(value, str):
            yield Token(_string(value), "string", marked)
        else:
            yield Token(json.dumps(value), "word", marked)


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, DEEPEST)


def _string(text: str) -> str:
    return shown(json.dumps(_cut(text, STRING), ensure_ascii=False))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def text_of(tokens: Sequence[Token]) -> str:
    """The text of tokens."""
    return "".join(token.text for token in tokens)
