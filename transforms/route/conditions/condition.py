"""A condition of a route, as frozen values, and how it is read from a document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Literal, cast

from transforms.errors import ConfigError
from transforms.mapping.expressions import Expression
from transforms.mapping.paths import Steps, steps_of, text_of
from transforms.mapping.reading.document import Part
from transforms.route.conditions.whole_match import whole_match

Kind = Literal["field", "topic", "source", "header", "key", "path", "event_type"]
Value = str | int | Decimal | bool


@dataclass(frozen=True, slots=True)
class Subject:
    """What a test looks at.

    Attributes:
        kind: Which part of a record, or of where it comes from.
        name: The name of a header, or of a folder ``name=…`` of the source's path.
        steps: The path of a field.
    """

    kind: Kind
    name: str = ""
    steps: Steps = ()

    def __str__(self) -> str:
        if self.kind == "field":
            return text_of(self.steps)
        return " ".join(filter(None, (self.kind.replace("_", " "), self.name)))


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a subject has one of certain values; what it lacks, and null, has none.

    Attributes:
        subject: What is looked at.
        values: It is one of these, or a text that one of ``globs`` matches.
        globs: Texts with ``*``.
        pattern: It is a text that this regular expression matches as a whole; empty for none.
        exists: It is there and not null, or it is not; None for no such test.
    """

    subject: Subject
    values: tuple[Value, ...] = ()
    globs: tuple[str, ...] = ()
    pattern: str = ""
    exists: bool | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """Whether an expression of JMESPath is true for the record."""

    expression: str


@dataclass(frozen=True, slots=True)
class All:
    """Whether all conditions hold; they are tried in order, up to the first that does not."""

    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Whether one of the conditions holds; they are tried in order."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Whether a condition does not hold."""

    part: Condition


Condition = Check | Holds | All | AnyOf | Not

_NAMED: tuple[Kind, ...] = ("field", "header", "path")
_DIRECT: tuple[Kind, ...] = ("topic", "source", "key", "event_type")
_TESTS = ("is", "in", "exists", "matches")
_KEYS = (*_NAMED, *_DIRECT, *_TESTS, "all", "any", "not", "condition")


def condition_of(part: Part) -> Condition:
    """The condition that a part of a document describes: a mapping, or an expression alone.

    Raises:
        ConfigError: It says where, what is wrong, and what to do.
    """
    if isinstance(part.value, str):
        return _holds(part)
    if not isinstance(part.value, dict) or not part.value:
        raise part.refused(
            f"a condition is written as {{field: type, is: order}}, got {part.kind}"
            + ("; several are {all: [...]} or {any: [...]}" if isinstance(part.value, list) else "")
        )
    for name in part.value:
        if name not in _KEYS:
            near = get_close_matches(name, _KEYS, 1)
            hint = f"is {near[0]} meant?" if near else f"there are {', '.join(_KEYS)}"
            raise part.refused(f"a condition has no {name}; {hint}", at=name)
    parts = [*_named(part), *_direct(part)]
    for name, read in _NESTED.items():
        if name in part.value:
            parts.append(read(part.value[name]))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _named(part: Part) -> Sequence[Condition]:
    """The tests of a field, a header or a folder of the path."""
    names = [name for name in _NAMED if name in part.value]
    tests = [name for name in _TESTS if name in part.value]
    if len(names) > 1:
        raise part.refused(
            f"{names[0]} and {names[1]} need tests of their own: write {{all: [{{{names[0]}: …}}, "
            f"{{{names[1]}: …}}]}}",
            at=names[1],
        )
    if not names and tests:
        raise part.refused(
            f"{tests[0]} is said of a field, header or path: {{field: type, {tests[0]}: …}}",
            at=tests[0],
        )
    if not names:
        return ()
    name = part.value[names[0]]
    if not tests:
        raise part.refused(f"say what the {names[0]} is: is, in, exists or matches", at=names[0])
    return _tests(_subject(names[0], name), part)


def _subject(kind: Kind, name: Part) -> Subject:
    if isinstance(name.value, list | dict) or name.value is None or not name.text:
        raise name.refused(f"the name of a {kind} must be a text, got {name.kind}")
    if kind != "field":
        return Subject(kind, name.text)
    try:
        return Subject(kind, steps=steps_of(name.text))
    except ValueError as error:
        raise name.refused(str(error)) from None


def _direct(part: Part) -> Sequence[Condition]:
    """The tests of what has no name: ``topic: orders``."""
    tests: list[Condition] = []
    for kind in _DIRECT:
        if kind not in part.value:
            continue
        value = part.value[kind]
        if isinstance(value.value, dict):
            for name in value.value:
                if name not in _TESTS:
                    raise value.refused(
                        f"{kind} has no {name}; there are {', '.join(_TESTS)}", name
                    )
            if not value.value:
                raise value.refused(f"say what the {kind} is")
            tests += _tests(Subject(kind), value)
            continue
        texts = [_text(each, kind) for each in _listed(value, kind)]
        wild = [text for text in texts if "*" in text or (kind == "source" and "?" in text)]
        globs = texts if kind == "source" else wild
        values = [text for text in texts if text not in globs]
        tests.append(Check(Subject(kind), tuple(values), tuple(globs)))
    return tests


def _listed(part: Part, what: str) -> Sequence[Part]:
    parts = part.value if isinstance(part.value, list) else [part]
    if not parts:
        raise part.refused(f"name at least one {what}")
    return cast(Sequence[Part], parts)


def _text(part: Part, what: str) -> str:
    if isinstance(part.value, list | dict) or part.value is None or not part.text:
        raise part.refused(f"a {what.replace('_', ' ')} is a text, got {part.kind}")
    return part.text


def _tests(subject: Subject, part: Part) -> Sequence[Check]:
    """What a mapping says of ``subject``: all of it must hold."""
    tests: list[Check] = []
    if "is" in part.value:
        tests.append(Check(subject, (_value(part.value["is"], subject),)))
    if "in" in part.value:
        values = part.value["in"]
        if not isinstance(values.value, list) or not values.value:
            raise values.refused(f"in takes a list: [a, b], got {values.kind}")
        tests.append(Check(subject, tuple(_value(each, subject) for each in values.value)))
    if "exists" in part.value:
        exists = part.value["exists"]
        if type(exists.value) is not bool:
            raise exists.refused(f"exists must be true or false, got {exists.kind}")
        tests.append(Check(subject, exists=exists.value))
    if "matches" in part.value:
        tests.append(Check(subject, pattern=_pattern(part.value["matches"])))
    return tests


def _value(part: Part, subject: Subject) -> Value:
    if part.value is None:
        raise part.refused("nothing is null; write exists: false for what is null or not there")
    if isinstance(part.value, list | dict):
        raise part.refused(f"a value is a text, a number, true or false, got {part.kind}")
    # What is no field of a record is always a text, also where YAML would read a number.
    return cast(Value, part.value) if subject.kind == "field" else part.text


def _pattern(part: Part) -> str:
    if not isinstance(part.value, str) or not part.value:
        raise part.refused(f"matches takes a regular expression in quotes, got {part.kind}")
    try:
        whole_match(part.value)
    except ConfigError as error:
        raise part.refused(str(error)) from None
    return part.value


def _holds(part: Part) -> Condition:
    if not isinstance(part.value, str):
        raise part.refused(f"a condition must be a text (perhaps in quotes), got {part.kind}")
    try:
        Expression(part.value)
    except ValueError as error:
        raise part.refused(str(error)) from None
    return Holds(part.value)


def _parts(part: Part) -> tuple[Condition, ...]:
    if not isinstance(part.value, list) or not part.value:
        raise part.refused(f"all and any take a list of conditions, got {part.kind}")
    return tuple(map(condition_of, part.value))


_NESTED: dict[str, Callable[[Part], Condition]] = {
    "all": lambda part: All(_parts(part)),
    "any": lambda part: AnyOf(_parts(part)),
    "not": lambda part: Not(condition_of(part)),
    "condition": _holds,  # last: the others keep records from it that it is not meant for
}
