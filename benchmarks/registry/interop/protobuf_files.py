"""Protobuf's files: golden messages beside the text that says what they have, and every ``.proto`` file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.text_encoding import CUnescape

from benchmarks.registry.interop.checks import Check
from benchmarks.registry.interop.wire import read
from transforms.parse.protobuf.descriptors import Descriptors
from transforms.parse.protobuf.text import parsed
from transforms.parse.protobuf.tokens import Tokens
from transforms.parse.registry.schema import PROTOBUF, Unusable, WireSchema

_TESTS = "objectivec/Tests"
_GOLDEN = (
    ("golden_message", "TestAllTypes", ""),
    ("golden_packed_fields_message", "TestAllExtensions", "_extension"),
)
"""A message, its type, and what the names of its fields have behind those of the text."""

_ROOTS = ("", "src", "python", "third_party")
_REFUSED = re.compile(
    r"edition 'UNSTABLE'|edition '2026'|is not defined|couldn't resolve|not present|"
    r"a feature that is not known"
)
"""What may be refused: editions that are not released, and files that their project lacks."""


def checks(root: Path) -> Iterator[Check]:
    """All checks.

    Args:
        root: A work tree of Protobuf.
    """
    folder = root / _TESTS
    main = (folder / "unittest.proto").read_text(encoding="utf-8")
    schema = WireSchema(PROTOBUF, main, tuple(_references(root, main, {}).items()))
    names = [message.name for message in parsed("unittest.proto", main).descriptor.message_type]
    said = _said(Tokens((folder / "text_format_unittest_data.txt").read_text(encoding="utf-8")))
    for golden, message, end in _GOLDEN:
        number = names.index(message)
        indexes = (
            b"\2" + bytes([number * 2]) if number else b"\0"
        )  # one index, of which zigzag is the double
        (value,) = read(schema, [indexes + (folder / golden).read_bytes()])
        got = _plain(value) if isinstance(value, dict) else value
        yield golden, {f"{name}{end}": values for name, values in said.items()}, got
    for path in sorted(root.rglob("*.proto")):
        text = path.read_text(encoding="utf-8-sig")
        yield path.relative_to(root).as_posix(), "", _refusal(root, text)


def _refusal(root: Path, text: str) -> str:
    """Why a file is of no use; empty if it can be used, or may be refused."""
    try:
        Descriptors(text, list(_references(root, text, {}).items()))
    except Unusable as error:
        return "" if _REFUSED.search(str(error)) else str(error)
    return ""


def _references(root: Path, text: str, references: dict[str, str]) -> Any:
    """The files that a text imports, by name, with those that they import."""
    for name in re.findall(r'^\s*import\s+(?:public\s+|weak\s+)?"([^"]+)"', text, re.MULTILINE):
        if name not in references:
            for folder in _ROOTS:
                path = root / folder / name
                if path.is_file():
                    references[name] = path.read_text(encoding="utf-8-sig")
                    _references(root, references[name], references)
                    break
    return references


def _said(tokens: Tokens) -> dict[str, list[Any]]:
    """What a message in Protobuf's text format says: the values of each field."""
    fields: dict[str, list[Any]] = {}
    while tokens.next not in ("}", ""):
        name = tokens.word()
        if tokens.took("{"):
            value: Any = _said(tokens)
            tokens.take("}")
        else:
            tokens.take(":")
            word = tokens.take()
            value = CUnescape(word[1:-1]) if word[0] in "\"'" else word.encode()
        fields.setdefault(name.lower(), []).append(value)
    return fields


def _plain(message: dict[str, Any]) -> dict[str, list[Any]]:
    """A value as ``_said`` has it: without what is not set."""
    plain: dict[str, list[Any]] = {}
    for name, held in message.items():
        values = held if isinstance(held, list) else [] if held is None else [held]
        if values:
            plain[name.strip("[]").rpartition(".")[2].lower()] = [
                _plain(value) if isinstance(value, dict) else _word(value) for value in values
            ]
    return plain


def _word(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return (f"{value:g}" if isinstance(value, float) else str(value)).encode()
