"""Documents that users write, YAML or JSON, with the place of every value for messages.

YAML is read by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema): ``yes``,
``no``, ``on`` and ``off`` are text, as are dates and ``12:30:00``. A key that occurs twice, a tag
other than those of the core schema, and more than one document are refused. JSON is read strictly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import yaml

from transforms.errors import ConfigError
from transforms.parse.numbers import TOO_LONG, exact, integer

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_PARTS = 100_000
"""The most values of a document, counting those behind an alias each time that it is used."""

_CORE = "tag:yaml.org,2002:"
_SHOWN = 60
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One value of a document.

    Attributes:
        value: None, a bool, an int, a ``Decimal`` or a text; a list or a dict of parts.
        text: A scalar as it is written; empty for a list or a dict.
        place: Where it is: ``file.yaml:3:12`` (line and column, from 1), or words.
        keys: Of a dict, where each key is.
    """

    value: Any
    text: str
    place: str
    keys: Mapping[str, str] = field(default_factory=dict)

    def refused(self, message: str, at: str = "") -> ConfigError:
        """The error that says where this part is, or its key ``at``, and ``message``."""
        return ConfigError(f"{self.keys.get(at, self.place)}: {message}")

    @property
    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: part.plain for key, part in self.value.items()}
        if isinstance(self.value, list):
            return [part.plain for part in self.value]
        return self.value

    @property
    def kind(self) -> str:
        """What it is, for messages: ``a list``, or a scalar as it is written."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        if self.value is None:
            return "nothing"
        return self.text if len(self.text) <= _SHOWN else self.text[: _SHOWN - 1] + "…"


def load(path: str | Path) -> Part:
    """The document in the file at ``path``: JSON if it is called ``*.json``, otherwise YAML.

    Raises:
        ConfigError: The file cannot be read or is too long, or ``parsed`` refuses its text.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ConfigError(f"{path} is longer than {MAX_BYTES:,} bytes")
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read {path}: {reason}") from None
    return parsed(text, str(path), as_json=str(path).lower().endswith(".json"))


def parsed(text: str, name: str, *, as_json: bool = False) -> Part:
    """The document that ``text`` is.

    Args:
        text: YAML, or JSON.
        name: Names it in messages and places.
        as_json: Whether it must be JSON.

    Raises:
        ConfigError: It is not YAML or JSON, nested too deep, or has too many values, or a key twice.
    """
    if as_json:
        _check_json(text, name)
        text = text.translate(_AS_YAML)
    loader = _loader(text, name)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, name) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ConfigError(f"{name} is nested deeper than {MAX_DEPTH} levels") from None
    finally:
        loader.dispose()
    if node is None:
        raise ConfigError(f"{name} is empty")
    return _Parts(name).part(node, 1)


def part_of(value: Any, place: str) -> Part:
    """A plain value of Python as a part; ``place`` says where it is.

    Raises:
        ConfigError: It is not plain, or nested too deep.
    """
    return _plain_part(value, place, 1)


def _plain_part(value: Any, place: str, depth: int) -> Part:
    if depth > MAX_DEPTH:
        raise ConfigError(f"{place}: nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        texts = {(str(key).lower() if isinstance(key, bool) else str(key)): key for key in value}
        parts = {text: _plain_part(value[key], place, depth + 1) for text, key in texts.items()}
        return Part(parts, "", place, dict.fromkeys(parts, place))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return Part([_plain_part(each, place, depth + 1) for each in value], "", place)
    if isinstance(value, float):
        return Part(_exact(repr(value), place), repr(value), place)
    if value is None or isinstance(value, str | bool | int | Decimal):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return Part(value, text, place)
    raise ConfigError(f"{place}: {type(value).__name__} is not a plain value")


_AS_YAML = str.maketrans(
    {"\t": " ", **{mark: f"\\u{ord(mark):04x}" for mark in "\x85\u2028\u2029"}}
)
"""Makes YAML of JSON: no tabs, which JSON has between values only, and escapes for what YAML takes for
the end of a line, which JSON has within strings only."""


class _Loader(yaml.SafeLoader):
    """Composes nodes without the types of YAML 1.1: those of 1.2 are told from the texts."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH + 1:  # which the parts refuse; here it would take quadratic time
            raise RecursionError
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        return _PLAIN if kind is not yaml.ScalarNode or implicit[0] else _QUOTED


_PLAIN, _QUOTED = "?", "!"
"""The tags of what has none: of a plain scalar, a list or a mapping, and of a quoted scalar."""


def _loader(text: str, name: str) -> _Loader:
    try:
        return _Loader(text)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise ConfigError(
            f"{name}:{line}:{column}: the character U+{ord(text[error.position]):04X} may not "
            "stand in YAML as it is; write it as \\u in double quotes"
        ) from None


def _not_yaml(error: yaml.MarkedYAMLError, name: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    problem = " ".join(str(error.problem or error.context or error).split())
    if "'@'" in problem or "'`'" in problem:
        problem += "; put the text in quotes"
    elif "\\t" in problem:
        problem += "; indent by blanks"
    elif "mapping values are not allowed" in problem:
        problem += "; is the indentation right, or does a text with ': ' lack its quotes?"
    return ConfigError(f"{place}: not YAML: {problem}")


def _check_json(text: str, name: str) -> None:
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{name}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: not JSON: {error}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


class _Parts:
    """Turns the nodes of YAML into parts."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0

    def part(self, node: yaml.Node, depth: int) -> Part:
        place = f"{self._name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
        self._count += 1
        if self._count > MAX_PARTS:
            raise ConfigError(f"{place}: more than {MAX_PARTS:,} values (is an alias repeated?)")
        if depth > MAX_DEPTH:
            raise ConfigError(f"{place}: nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, yaml.ScalarNode):
            text = _whole(node.value)
            return Part(_scalar(node, text, place), text, place)
        if isinstance(node, yaml.SequenceNode):
            _check_tag(node, "seq", place)
            return Part([self.part(each, depth + 1) for each in node.value], "", place)
        assert isinstance(node, yaml.MappingNode)  # noqa: S101 - there is no fourth kind
        _check_tag(node, "map", place)
        return self._mapping(node, place, depth)

    def _mapping(self, node: yaml.MappingNode, place: str, depth: int) -> Part:
        parts: dict[str, Part] = {}
        keys: dict[str, str] = {}
        for key_node, value_node in node.value:
            key = self.part(key_node, depth + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(f"{key.place}: a key must be a text")
            if key.text in parts:
                raise ConfigError(f"{key.place}: {key.text} occurs twice here; keep one of them")
            keys[key.text] = key.place
            parts[key.text] = self.part(value_node, depth + 1)
        return Part(parts, "", place, keys)


def _check_tag(node: yaml.Node, usual: str, place: str) -> None:
    if node.tag not in (_PLAIN, _CORE + usual):
        raise ConfigError(f"{place}: the tag {_shown_tag(node)} is not known here")


def _shown_tag(node: yaml.Node) -> str:
    return str(node.tag).replace(_CORE, "!!")


def _whole(text: str) -> str:
    """``text`` with the halves of surrogate pairs, which JSON's escapes write, put together."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _scalar(node: yaml.ScalarNode, text: str, place: str) -> Any:
    """The value of a scalar by the core schema of YAML 1.2."""
    if node.tag in (_QUOTED, _CORE + "str"):
        return text
    value = _resolved(text, place)
    if node.tag != _PLAIN and node.tag not in _TAGS.get(type(value), ()):
        raise ConfigError(
            f"{place}: {text} is not {_shown_tag(node)}, or the tag is not known here"
        )
    return value


def _resolved(text: str, place: str) -> Any:
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    for pattern, read in _NUMBERS:
        if pattern.fullmatch(text):
            return read(text, place)
    if _NOT_FINITE.fullmatch(text):
        raise ConfigError(f"{place}: {text} is no number that can be written")
    return text


_TAGS: dict[type, tuple[str, ...]] = {
    type(None): (_CORE + "null",),
    bool: (_CORE + "bool",),
    int: (_CORE + "int", _CORE + "float"),
    Decimal: (_CORE + "float",),
}


def _exact(text: str, place: str) -> Decimal:
    try:
        return exact(text)
    except ArithmeticError:
        raise ConfigError(f"{place}: {TOO_LONG}") from None


def _integer(text: str, place: str) -> int | Decimal:
    try:
        return integer(text)
    except ArithmeticError:
        raise ConfigError(f"{place}: {TOO_LONG}") from None


_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str, str], int | Decimal]], ...] = (
    (_INTEGER, _integer),
    (_OCTAL, lambda text, place: int(text, 0)),
    (_HEXADECIMAL, lambda text, place: int(text, 0)),
    (_FLOAT, _exact),
)
