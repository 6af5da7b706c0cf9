"""What the fields of a mapped record come from: which source fields a mapping hides or reads.

A path here is of texts; ``*`` stands for every element of an array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

from transforms.mapping.expressions import Expression
from transforms.mapping.operations import (
    Assign,
    Case,
    Cast,
    Compute,
    Default,
    Drop,
    Filter,
    Flatten,
    Hash,
    Mask,
    Operation,
    OriginValue,
    Rename,
    Select,
    TakePath,
    Trim,
    Unnest,
    Written,
)
from transforms.parse.hidden.paths import HEADER, KEY

Path = tuple[str, ...]
EVERYTHING: Path = ()
ELEMENT = "*"
_MOST_SPLITS = 6
"""A name with more separators in it stands for the whole object that was flattened."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a field comes from.

    Attributes:
        paths: The source paths that may be in it.
        opaque: Whether it has another structure than they have: its parts come from all of them.
    """

    paths: frozenset[Path] = frozenset()
    opaque: bool = False

    def part(self, steps: Sequence[str | int]) -> Origin:
        """What is behind ``steps`` within the field."""
        if self.opaque:
            return self
        further = tuple(ELEMENT if isinstance(step, int) else step for step in steps)
        return Origin(frozenset(path + further for path in self.paths))

    def either(self, other: Origin) -> Origin:
        """What comes from one of the two."""
        return Origin(self.paths | other.paths, self.opaque or other.opaque)


NOTHING = Origin()
Rule = Callable[[str], Origin]


@dataclass(slots=True)
class _State:
    """Where the fields come from between two operations.

    Attributes:
        named: The fields of which that is known by name.
        rules: What else a field of any other name may come from.
    """

    named: dict[str, Origin] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    def of(self, name: str) -> Origin:
        if name in self.named:
            return self.named[name]
        origin = Origin(frozenset({(name,)}))
        for rule in self.rules:
            origin = origin.either(rule(name))
        return origin

    def of_expression(self, text: str) -> Origin:
        fields = Expression(text).fields
        if fields is None:
            return Origin(frozenset({EVERYTHING}), opaque=True)
        origin = Origin(opaque=True)
        for name in fields:
            origin = origin.either(self.of(name))
        return origin

    def after(self, operation: Operation) -> _State:
        """The state behind an operation."""
        named, rules = dict(self.named), self.rules
        if isinstance(operation, Rename):
            gone = {name: NOTHING for name, _ in operation.pairs}
            named.update(gone)
            for name, to in operation.pairs:  # a record may have the new name already
                before = named[to] if to in gone else self.of(to)
                gone[to] = named[to] = self.of(name).either(before)
        elif isinstance(operation, Assign):
            named.update({name: _set_to(value) for name, value in operation.pairs})
        elif isinstance(operation, Default):
            named.update(
                {name: self.of(name).either(_set_to(value)) for name, value in operation.pairs}
            )
        elif isinstance(operation, TakePath):
            taken = self.of(str(operation.steps[0])).part(operation.steps[1:])
            named[operation.name] = taken.either(self.of(operation.name))
        elif isinstance(operation, Compute):
            named[operation.name] = self.of_expression(operation.expression)
        elif isinstance(operation, Cast):
            for name, cast in operation.pairs:
                if cast == Written("json"):
                    named[name] = Origin(self.of(name).paths, opaque=True)
        elif isinstance(operation, Flatten):
            rules = (*rules, _flattened(self, operation))
        elif isinstance(operation, Unnest):
            array = self.of(operation.field).part((0,))
            if operation.into:
                named[operation.field] = NOTHING
                named[operation.into] = array
            else:
                rules = (*rules, lambda name: array.part((name,)))
            if operation.index:
                named[operation.index] = NOTHING
        return _State(named, rules)


def _set_to(value: object) -> Origin:
    """What a field comes from that is set to ``value``: the key or a header of a message, or nothing."""
    if not isinstance(value, OriginValue) or value.kind not in ("key", "header"):
        return NOTHING
    name = KEY if value.kind == "key" else HEADER + value.name
    return Origin(frozenset({(name,)}))


def _flattened(state: _State, operation: Flatten) -> Rule:
    """What the fields come from that ``operation`` makes."""
    separator = operation.separator

    def origin(name: str) -> Origin:
        if operation.field is None:
            splits = [split for split in _splits(name, separator) if len(split) > 1]
            result = NOTHING
            for first, *rest in splits:
                result = result.either(state.of(first).part(rest))
            return result
        prefix = operation.field + separator
        if not name.startswith(prefix):
            return NOTHING
        whole = state.of(operation.field)
        result = NOTHING
        for split in _splits(name.removeprefix(prefix), separator):
            result = result.either(whole.part(split))
        return result

    return origin


def _splits(name: str, separator: str) -> Iterator[tuple[str, ...]]:
    """Every way in which a name may be names with the separator between them."""
    parts = name.split(separator) if separator else [name]
    if not separator or len(parts) > _MOST_SPLITS:
        yield ()
        return
    for count in range(len(parts)):
        for cuts in combinations(range(1, len(parts)), count):
            edges = (0, *cuts, len(parts))
            yield tuple(separator.join(parts[a:b]) for a, b in pairwise(edges))


class Lineage:
    """The lineage of the fields of a mapping, operation by operation."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._states = [_State()]
        for operation in operations:
            self._states.append(self._states[-1].after(operation))
        hidden: set[Path] = set()
        for state, operation in zip(self._states, operations, strict=False):
            for name in _hidden_names(operation):
                hidden |= state.of(name).paths
        self.hidden: tuple[Path, ...] = tuple(sorted(hidden))
        """The source paths that the mapping hides."""

    def hides(self, at: int, name: str) -> bool:
        """Whether the field ``name``, before operation ``at``, may hold what is hidden."""
        return self._overlaps(self._states[at].of(name).paths)

    def hides_in(self, at: int, expression: str) -> bool:
        """The same of what an expression reads."""
        return self._overlaps(self._states[at].of_expression(expression).paths)

    def _overlaps(self, paths: Iterable[Path]) -> bool:
        return any(
            all(a == b for a, b in zip(path, hidden, strict=False))
            for path in paths
            for hidden in self.hidden
        )


def _hidden_names(operation: Operation) -> Iterator[str]:
    if isinstance(operation, Hash | Mask):
        yield from (name for name, _ in operation.pairs)
    elif isinstance(operation, Drop) and operation.hidden:
        yield from operation.names


def fields_read(operations: Sequence[Operation]) -> frozenset[str] | None:
    """The fields of a source's record that a mapping names; None if it may read any."""
    names: set[str] = set()
    produced: set[str] = set()
    for operation in operations:
        read, written = _read(operation), _written(operation)
        if read is None:
            return None
        names |= read - produced
        produced |= written
    return frozenset(names)


def _read(operation: Operation) -> set[str] | None:
    if isinstance(operation, Select | Drop | Trim):
        return set(operation.names)
    if isinstance(operation, Rename | Cast | Case | Hash | Mask):
        return {name for name, *_ in operation.pairs}
    if isinstance(operation, TakePath):
        return {str(operation.steps[0])}
    if isinstance(operation, Flatten):
        return None if operation.field is None else {operation.field}
    if isinstance(operation, Unnest):
        return {operation.field}
    if isinstance(operation, Filter | Compute):
        fields = Expression(operation.expression).fields
        return None if fields is None else set(fields)
    return set()


def _written(operation: Operation) -> set[str]:
    if isinstance(operation, Rename):
        return {to for _, to in operation.pairs}
    if isinstance(operation, Assign | Default):
        return {name for name, _ in operation.pairs}
    if isinstance(operation, TakePath | Compute):
        return {operation.name}
    if isinstance(operation, Unnest):
        return {operation.into, operation.index}
    return set()


def cells_of(operations: Sequence[Operation], columns: Iterable[str]) -> Mapping[str, str]:
    """By mapped field, the column of a CSV file whose cell it is.

    Fields whose values the mapping makes itself are left out.
    """
    cells = {column: column for column in columns}
    for operation in operations:
        if isinstance(operation, Select):
            cells = {name: cells[name] for name in operation.names if name in cells}
        elif isinstance(operation, Drop):
            cells = {name: cell for name, cell in cells.items() if name not in operation.names}
        elif isinstance(operation, Rename):
            moved = [(to, cells.pop(name)) for name, to in operation.pairs if name in cells]
            cells.update(moved)
        elif isinstance(operation, TakePath):
            source = cells.get(str(operation.steps[0])) if len(operation.steps) == 1 else None
            cells.pop(operation.name, None)
            if source is not None:
                cells[operation.name] = source
        elif isinstance(operation, Compute):
            cells.pop(operation.name, None)
        elif isinstance(operation, Assign):
            for name, _ in operation.pairs:
                cells.pop(name, None)
        elif isinstance(operation, Unnest):
            for name in (operation.field, operation.into, operation.index):
                cells.pop(name, None)
    return cells
