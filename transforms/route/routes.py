"""The routes of a pipeline: where each record of one stream goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from transforms.errors import ConfigError
from transforms.mapping.mapping import Mapping
from transforms.mapping.reading.document import Part, load, part_of
from transforms.parse.validate import compiled
from transforms.route.conditions.condition import All, Condition, condition_of
from transforms.route.reading.spec import document_of
from transforms.route.route import Route
from transforms.route.table_name import TableName
from transforms.route.table_template import TableTemplate, has_fields

MOST_ROUTES = 1_000


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes of a pipeline. Every route whose condition holds gets the record.

    Picklable, without secrets.

    Attributes:
        routes: The routes; their order makes no difference.
        default: Gets the records that meet the condition of none; None makes them dead letters.

    Raises:
        ConfigError: Two routes have one name, or say different things of one table, or a route is
            not right in itself.
    """

    routes: tuple[Route, ...]
    default: Route | None = None

    def __init__(self, routes: Sequence[Route], default: Route | None = None) -> None:
        object.__setattr__(self, "routes", tuple(routes))
        object.__setattr__(self, "default", default)
        if not 1 <= len(self.routes) <= MOST_ROUTES:
            raise ConfigError(f"there are 1 to {MOST_ROUTES:,} routes, got {len(self.routes)}")
        names: set[str] = set()
        for route in self.routes:
            if route.name in names:
                raise ConfigError(
                    f"two routes are called {route.name}; give each a name: of its own"
                )
            names.add(route.name)
        if default is not None and default.when:
            raise ConfigError(f"the default, {default.table}, has no condition: leave out when")
        for route in self.all:
            _check(route)
        self.check_tables()

    @classmethod
    def load(cls, path: str | Path) -> Routes:
        """The routes in a YAML or JSON file.

        Raises:
            ConfigError: It says file, line and column, what is wrong, and what to do.
        """
        return cls.from_part(load(path), Path(path).parent)

    @classmethod
    def from_part(cls, part: Part, folder: Path) -> Routes:
        """The routes in a part of a document; ``folder`` has the files that it names.

        Raises:
            ConfigError: As ``load``.
        """
        routes, default = document_of(part, folder)
        every = routes if default is None else [*routes, default]
        contradiction = _contradiction(every)
        if contradiction is not None:
            number, name, message = contradiction
            listed = part.value["routes"].value
            of = listed[number] if number < len(listed) else part.value["default"]
            raise of.refused(message, at=name)
        try:
            return cls(routes, default)
        except ConfigError as error:
            raise part.refused(str(error)) from None

    @property
    def all(self) -> tuple[Route, ...]:
        """All routes, and the default behind them."""
        return self.routes if self.default is None else (*self.routes, self.default)

    @property
    def needs_run(self) -> bool:
        """Whether a mapping asks for ``@run``."""
        return any(route.mapping is not None and route.mapping.needs_run for route in self.all)

    def of_table(self, label: str, default_schema: str = "") -> Route | None:
        """The route that says how a table is written: one that names it, or one that may become it.

        Args:
            label: The label of the table, as ``AssignRoutes`` gives it.
            default_schema: Tables of it have labels without it.
        """
        named = (route for route in self.all if _label(route, default_schema) == label)
        spelt = (label, f"{default_schema}.{label}") if default_schema else (label,)
        becoming = (
            route
            for route in self.all
            if has_fields(route.table)
            if any(map(TableTemplate(route.table, route.tables, route.pattern).allows, spelt))
        )
        return next(chain(named, becoming), None)

    def conditions(self) -> list[Condition]:
        """The condition of each route but the default."""
        return list(map(_condition, self.routes))

    def hidden(self, before: Mapping | None = None) -> tuple[tuple[str, ...], ...]:
        """The paths, in the records of the source, of what mappings hash, mask or hide.

        Args:
            before: The mapping of the pipeline, which shapes records before they are routed.
        """
        first = () if before is None else before.operations
        paths = set(() if before is None else before.hidden)
        for route in self.all:
            if route.mapping is not None:
                paths |= set(Mapping((*first, *route.mapping.operations)).hidden)
        return tuple(sorted(paths))

    def check_secrets(self) -> None:
        """Look whether the secrets that the mappings need are there.

        Raises:
            ConfigError: One cannot be resolved.
        """
        for route in self.all:
            if route.mapping is not None:
                route.mapping.check_secrets()

    def check_tables(self, default_schema: str = "") -> None:
        """Look whether routes of one table say the same of it.

        Args:
            default_schema: A table of it is the same with and without it.

        Raises:
            ConfigError: Two routes say different things of one table.
        """
        contradiction = _contradiction(self.all, default_schema)
        if contradiction is not None:
            raise ConfigError(contradiction[2])


_OF_TABLE = ("key", "on_conflict", "unknown_fields", "bounds", "sink")
"""What routes of one table must agree on."""


def _contradiction(
    routes: Sequence[Route], default_schema: str = ""
) -> tuple[int, str, str] | None:
    """The number of a route that contradicts another, about what, and the message; None if none does."""
    firsts: dict[str, Route] = {}
    for number, route in enumerate(routes):
        label = _label(route, default_schema)
        first = firsts.setdefault(label, route)
        for name in _OF_TABLE:
            if getattr(first, name) != getattr(route, name):
                both = f"routes {first.name} and {route.name}"
                if first.name == route.name:  # no two routes have one
                    both = f"route {first.name} and the default"
                message = f"{both} write {label} with different {name}; a table has one"
                return number, name, message
    return None


def _label(route: Route, default_schema: str) -> str:
    return (
        route.table
        if has_fields(route.table)
        else TableName.parse(route.table).label(default_schema)
    )


def _condition(route: Route) -> Condition:
    if not route.when:
        return All()
    return condition_of(part_of(route.when, f"route {route.name}"))


def _check(route: Route) -> None:
    """Refuse a route that is not right in itself."""
    if "/" in route.name:
        raise ConfigError(
            f"route {route.name}: a route's name has no /; give it a name: of its own"
        )
    if has_fields(route.table):
        TableTemplate(route.table, route.tables, route.pattern)
    else:
        TableName.parse(route.table)
        if route.tables or route.pattern:
            raise ConfigError(
                f"route {route.name}: tables and pattern are for a table with ${{field}} in its name"
            )
    _check_writing(route)
    if route.schema is not None:
        compiled(route.schema)
    _condition(route)


def _check_writing(route: Route) -> None:
    """Refuse a wrong key, conflict rule or bound."""
    if len(set(route.key)) != len(route.key) or "" in route.key:
        raise ConfigError(f"route {route.name}: key names distinct columns, got {list(route.key)}")
    rule, _, field = route.on_conflict.partition(":")
    if route.on_conflict not in ("ignore", "update") and not (rule == "newest" and field):
        raise ConfigError(
            f"route {route.name}: on_conflict is ignore, update or newest:FIELD, "
            f"got {route.on_conflict}"
        )
    if rule == "newest" and field in route.key:
        raise ConfigError(
            f"route {route.name}: newest:{field} compares a key column; name another column"
        )
    if route.unknown_fields not in ("reject", "ignore", "payload"):
        raise ConfigError(
            f"route {route.name}: unknown_fields is reject, ignore or payload, "
            f"got {route.unknown_fields}"
        )
    bounds = route.bounds
    for name, bound in (("records", bounds.records), ("bytes", bounds.bytes), ("age", bounds.age)):
        if bound is not None and bound <= 0:
            raise ConfigError(f"route {route.name}: batch_{name} is more than 0, got {bound}")
