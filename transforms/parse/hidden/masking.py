"""Mask hidden fields in JSON, with everything else as it is written.

Objects are lists of pairs here, so that names that occur twice stay; numbers are the text that
spells them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from transforms.parse.hidden.paths import Hidden, folded
from transforms.parse.hidden.values import MASK, SHORTEST, without_values


class Pairs(NamedTuple):
    """An object of JSON: its names and values, in order."""

    items: list[tuple[str, Any]]


class Number(NamedTuple):
    """A number of JSON, as it is written."""

    text: str


@dataclass(slots=True)
class Masker:
    """Masks hidden fields.

    Attributes:
        paths: The fields, as ``paths.in_record`` gives them. They are looked for in every object,
            however deep: a record that is laid out otherwise than the mapping expects fails, and is
            shown for that.
        values: The texts of what has been masked so far.
    """

    paths: Hidden
    values: set[str] = field(default_factory=set)

    def masked(self, value: Any) -> Any:
        """``value`` without what is hidden in it.

        Where a path leads on, but there is neither an object nor an array, the value is masked: it
        stands in the place of what is hidden. So is a record that is neither.
        """
        return self._masked(value, self.paths)

    def _masked(self, value: Any, inside: Hidden) -> Any:
        """``value``, which ``inside`` lead into."""
        if isinstance(value, Pairs):
            lead = (*inside, *self.paths)
            return Pairs([(name, self._field(name, part, lead)) for name, part in value.items])
        if isinstance(value, list):
            inside = _through_array(inside)
            return [self._masked(part, inside) for part in value]
        return self.hide(value) if inside else value

    def everywhere(self, value: Any) -> Any:
        """``value`` without what has been masked, where it stands once more in another field."""
        if not self.values:
            return value
        if isinstance(value, Pairs):
            return Pairs([(name, self.everywhere(part)) for name, part in value.items])
        if isinstance(value, list):
            return list(map(self.everywhere, value))
        if isinstance(value, Number):
            repeats = value.text in self.values and len(value.text) >= SHORTEST
            return MASK if repeats else value
        return without_values(value, self.values) if isinstance(value, str) else value

    def hide(self, value: Any) -> Any:
        """What stands for a hidden value; null, true and false tell nothing and stay."""
        if value is None or isinstance(value, bool):
            return value
        self.values.update(_texts(value))
        return MASK

    def _field(self, name: str, value: Any, lead: Hidden) -> Any:
        key = folded(name)
        inside = tuple(path[1:] for path in lead if path[0] == key)
        return self.hide(value) if () in inside else self._masked(value, inside)


def parsed(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError, RecursionError: It is not JSON, or nested too deep.
    """
    return json.loads(
        text,
        object_pairs_hook=Pairs,
        parse_int=Number,
        parse_float=Number,
        parse_constant=Number,
        strict=False,
    )


def written(value: Any) -> str:
    """``value`` as JSON on one line.

    Raises:
        RecursionError: It is nested too deep.
    """
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def _write(value: Any, add: Callable[[str], object]) -> None:
    if isinstance(value, Pairs):
        for number, (name, part) in enumerate(value.items):
            add(", " if number else "{")
            add(f"{json.dumps(name, ensure_ascii=False)}: ")
            _write(part, add)
        add("}" if value.items else "{}")
    elif isinstance(value, Number):
        add(value.text)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            add(", " if number else "[")
            _write(part, add)
        add("]" if value else "[]")
    else:
        add(json.dumps(value, ensure_ascii=False))


def _through_array(paths: Hidden) -> Hidden:
    """The paths within the elements of an array; a path may give the number of one, or ``*``."""
    further = (path[1:] for path in paths if len(path) > 1 and _is_index(path[0]))
    return (*paths, *further)


def _is_index(name: str) -> bool:
    return name in ("*", "[]") or name.strip("[]").lstrip("-").isdecimal()


def _texts(value: Any) -> Iterator[str]:
    """The texts within a value."""
    if isinstance(value, Pairs):
        for _, part in value.items:
            yield from _texts(part)
    elif isinstance(value, Number):
        yield value.text
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value
