"""What is shown of a failed record: its bytes without the fields that a mapping hides.

A record whose fields cannot be told apart is not shown at all: nobody knows where in it the hidden
values are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal

from transforms.batch.record import Failure, Format, Headers
from transforms.parse.csv.columns import fewest, names_of
from transforms.parse.csv.rows import rows_of
from transforms.parse.hidden.masking import Masker, Pairs, parsed, written
from transforms.parse.hidden.paths import EVERYTHING, HEADER, KEY, Hidden, folded, in_record, merged
from transforms.parse.hidden.values import MASK, without_values
from transforms.parse.text import FIELD
from transforms.parse.typed_rows import TYPED

WITHHELD = "not shown, since it may quote hidden fields"
"""What stands for a text that cannot be masked."""

_UNREADABLE = (
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    RecursionError,
    AttributeError,
    csv.Error,
)

State = Literal["whole", "masked", "withheld"]


@dataclass(frozen=True, slots=True)
class Preview:
    """A failure as it is shown.

    Attributes:
        failure: The failure; its bytes, key, headers and texts show nothing that is hidden.
        errors: The errors of its attempts, likewise.
        state: Whether its bytes are ``whole``, have ``masked`` fields, or are ``withheld``.
        size: How many bytes the record has.
        digest: The SHA-256 of its bytes, in hexadecimal.
    """

    failure: Failure
    errors: tuple[dict[str, Any], ...]
    state: State
    size: int
    digest: str

    @property
    def described(self) -> str:
        """What is said of bytes that are not shown."""
        return (
            f"{self.size:,} bytes, not shown, since nobody can tell what in them is hidden; sha256 "
            f"{self.digest}"
        )


def preview(
    failure: Failure,
    version: str | None,
    errors: Iterable[Mapping[str, Any]],
    hidden: Hidden,
    silent: Collection[str] = (),
) -> Preview:
    """``failure`` as it is shown where ``hidden`` are hidden.

    Texts of steps and databases may quote a value that is hidden now: it is masked in them too, as
    far as the record tells which it is.

    Args:
        failure: A stored failure.
        version: Of the pipeline that made it.
        errors: The errors of its attempts.
        hidden: The paths that are hidden.
        silent: The versions that hid fields already. Messages of others may quote a record that
            cannot be read.
    """
    masker = Masker(in_record(hidden))
    if EVERYTHING in hidden and failure.raw:
        of_record = None
    else:
        of_record = _masked(failure, masker) if hidden else failure.raw
    state: State = "whole"
    if of_record is None:
        state = "withheld"
    elif of_record != failure.raw:
        state = "masked"
    key, headers = _message(failure, of_record, hidden, masker)

    def text(said: str, by: str | None) -> str:
        if of_record is None and by not in silent:
            return f"({WITHHELD})" if said else ""
        return without_values(said, masker.values)

    return Preview(
        failure=replace(
            failure,
            raw=of_record or b"",
            key=key,
            headers=headers,
            message=text(failure.message, version),
            stack=text(failure.stack, version),
        ),
        errors=tuple(
            {**error, "error": text(str(error.get("error", "")), error.get("version"))}
            for error in errors
        ),
        state=state,
        size=len(failure.raw),
        digest=sha256(failure.raw).hexdigest(),
    )


def _masked(failure: Failure, masker: Masker) -> bytes | None:
    """The record's bytes with its hidden fields masked; None if they cannot be told apart."""
    raw, format_ = failure.raw, failure.format
    if not raw:
        return raw
    try:
        if format_.name == "csv":
            return _csv(raw, format_, masker)
        if format_.name == "text":
            return _text(raw, masker)
        if format_.name in TYPED and not raw.startswith(b"{"):
            return _typed(raw, masker)
        return _json(raw, format_.encoding, masker)
    except _UNREADABLE:
        return None


def _json(raw: bytes, encoding: str, masker: Masker) -> bytes:
    value = parsed(raw.decode(encoding or "utf-8-sig"))
    shown = masker.everywhere(masker.masked(value))
    return raw if shown == value else written(shown).encode("utf-8", "backslashreplace")


def _typed(raw: bytes, masker: Masker) -> bytes:
    """A row as ``transforms.parse.typed_rows`` keeps it."""
    row, types, *rest = parsed(raw.decode())
    kinds = dict(types.items)
    names = {path[0] for path in masker.paths}
    # A map is a list of pairs here, whose keys are no names.
    opaque = {name for name, kind in kinds.items() if {"map", "any"} & set(_words(kind))}
    shown = masker.masked(
        Pairs(
            [
                (name, masker.hide(value) if folded(name) in names and name in opaque else value)
                for name, value in row.items
            ]
        )
    )
    lost = [
        Pairs([(name, MASK if folded(name) in names else each) for name, each in part.items])
        for part in rest
    ]
    shown, lost = masker.everywhere([shown, lost])
    if (shown, lost) == (row, rest):
        return raw
    return written([shown, types, *lost]).encode("utf-8", "backslashreplace")


def _words(kind: Any) -> Iterable[str]:
    """The words in the type of a column."""
    if isinstance(kind, str):
        yield kind
    elif isinstance(kind, Pairs):
        for _, part in kind.items:
            yield from _words(part)
    elif isinstance(kind, list):
        for part in kind:
            yield from _words(part)


def _csv(raw: bytes, format_: Format, masker: Masker) -> bytes:
    columns, text = format_.columns, raw.decode(format_.encoding or "utf-8")
    (cells,) = rows_of([text], len(raw) + 1, format_)
    if not columns or not fewest(columns) <= len(cells) <= len(columns):
        raise ValueError("it is not known which cell is which field")
    # A column's cell may be JSON, or stand for an object: a path that leads into it hides it all.
    names = {path[0] for path in masker.paths}
    shown = [
        masker.hide(cell) if cell and folded(name) in names else cell
        for name, cell in zip(names_of(columns), cells, strict=False)
    ]
    shown = masker.everywhere(shown)
    if shown == cells:
        return raw
    line = io.StringIO()
    csv.writer(
        line,
        delimiter=format_.delimiter,
        quotechar=format_.quote or None,
        quoting=csv.QUOTE_MINIMAL if format_.quote else csv.QUOTE_NONE,
        escapechar=format_.escape or None,
        lineterminator="",
    ).writerow(shown)
    return line.getvalue().encode()


def _text(raw: bytes, masker: Masker) -> bytes:
    if all(path[0] != FIELD for path in masker.paths):
        return raw
    masker.hide(raw.decode("utf-8", "replace"))
    return MASK.encode()


def _message(
    failure: Failure, of_record: bytes | None, hidden: Hidden, masker: Masker
) -> tuple[bytes | None, Headers]:
    """The key and the headers, masked.

    They may repeat a hidden value. Where no record tells which that is, nothing of them is shown.
    """
    if hidden and not of_record:
        names = (name for name, _ in failure.headers)
        return failure.key and MASK.encode(), tuple((name, MASK.encode()) for name in names)
    return _key(failure.key, hidden, masker), _headers(failure.headers, hidden, masker)


def _key(key: bytes | None, hidden: Hidden, masker: Masker) -> bytes | None:
    """The key of a message, masked."""
    named = merged(path[1:] for path in hidden if path[:1] == (KEY,))
    if key is None or not hidden:
        return key
    if (KEY,) in hidden:
        return MASK.encode()
    return _beside(key, Masker((*masker.paths, *in_record(named)), masker.values), bool(named))


def _headers(headers: Headers, hidden: Hidden, masker: Masker) -> Headers:
    if not hidden:
        return headers
    names = {folded(path[0]) for path in hidden if path}
    return tuple(
        (
            name,
            MASK.encode()
            if content is not None and folded(HEADER + name) in names
            else content and _beside(content, masker, False),
        )
        for name, content in headers
    )


def _beside(content: bytes, masker: Masker, named: bool) -> bytes:
    """A key or a header: masked as JSON, or without the values that are hidden in the record."""
    text = content.decode("utf-8", "replace")
    try:
        value = parsed(text)
    except _UNREADABLE:
        value = None
    if isinstance(value, Pairs | list):
        shown = masker.masked(value)
        return content if shown == value else written(shown).encode("utf-8", "backslashreplace")
    if named:
        return MASK.encode()
    shown_text = without_values(text, masker.values)
    return content if shown_text == text else shown_text.encode()
