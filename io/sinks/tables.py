"""The tables that routes send records to, and how each of them is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import apache_beam as beam

from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.label import label_in
from sinks.table.config import OnConflict, SqlConfig
from sinks.text.quoting import quoted
from transforms.errors import ConfigError, SinkFailed
from transforms.per_process import PerProcess
from transforms.route.route import Route
from transforms.route.table_name import TableName
from transforms.settle import lineage

_FIELDS = re.compile(r"\$\{[^}]*\}")
_FIELD = "\x01"  # stands for a field in the name of a table, since a path may have dots


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one route sends records, and how they are written there.

    Attributes:
        route: The name of the route.
        config: How; its table has a character for each field in the name.
        tables: The names that a name with fields may become, or the values of its field.
        pattern: What the whole name must match, if ``tables`` is empty.
    """

    route: str
    config: SqlConfig
    tables: tuple[str, ...] = ()
    pattern: str = ""

    @property
    def is_dynamic(self) -> bool:
        """Whether the name comes from the record."""
        return _FIELD in self.config.table

    def allowed(self, schema: str | None) -> Iterator[TableName]:
        """The tables that are known beforehand."""
        if not self.is_dynamic:
            yield self.config.table_name
        for text in self.tables if self.is_dynamic else ():
            name = self._name(label_in(schema, TableName.parse(text)), schema)
            if name is not None:
                yield name
            elif self.config.table.count(_FIELD) == 1:  # then it is the value of the field
                yield TableName.parse(self.config.table.replace(_FIELD, text))

    def table_of(self, label: str, schema: str | None) -> TableName | None:
        """The table called ``label``; None if records cannot give the name. It is dynamic."""
        if self.tables:
            return _allowed(self, schema).get(label)
        name = self._name(label, schema)
        if name is None or not self.pattern:
            return name
        spellings = {str(name), label, _whole(label, schema)}
        return name if any(re.fullmatch(self.pattern, text) for text in spellings) else None

    def _name(self, label: str, schema: str | None) -> TableName | None:
        """The table called ``label`` if the name with fields may become it."""
        template = self.config.table_name
        shape = re.escape(str(template)).replace(_FIELD, ".+")
        for text in (label, _whole(label, schema)):
            if re.fullmatch(shape, text, re.DOTALL):
                fixed = template.schema
                if fixed is not None and _FIELD not in fixed:
                    return TableName(text[len(fixed) + 1 :], fixed)
                return TableName.parse(text)
        return None


@lru_cache(maxsize=100)
def _allowed(destination: Destination, schema: str | None) -> dict[str, TableName]:
    """The tables that are known beforehand, by label."""
    return {label_in(schema, name): name for name in destination.allowed(schema)}


@dataclass(frozen=True, slots=True)
class Use:
    """How one table is written.

    Attributes:
        config: The configuration.
        several: Whether several routes send records to it, so that one record may become several of
            its rows.
        on_demand: Whether its name has come from a record, so that it is created when it is needed.
    """

    config: SqlConfig
    several: bool = False
    on_demand: bool = False


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a pipeline with routes. Picklable, without secrets.

    Tables are asked for by their labels, i.e. their names without the default schema of the
    database, which ``default_schema`` tells.

    Attributes:
        home: The pipeline's own table, for what no route takes; ``UNROUTED`` if it has none.
        destinations: The table of each route.
    """

    home: SqlConfig
    destinations: tuple[Destination, ...] = ()

    def __hash__(self) -> int:
        # Of a thousand tables it would take milliseconds, at every look for how one is written.
        return hash((self.home, len(self.destinations)))

    @classmethod
    def of(cls, home: SqlConfig, routes: Iterable[Route]) -> Tables:
        """The tables of ``routes``; those that go to another sink are left out.

        Args:
            home: The pipeline's own table. Those of routes are in its database, are created when
                its is, and records are told apart in them as in it.
            routes: Where records go.

        Raises:
            ConfigError: The settings of a route are wrong.
        """
        return cls(home, tuple(_destination(home, route) for route in routes if not route.sink))

    def configs(self, schema: str | None) -> list[SqlConfig]:
        """How every table is written whose name is known beforehand.

        Raises:
            ConfigError: Two routes differ in how they write a table.
        """
        return [use.config for use in self.known(schema).values()]

    def known(self, schema: str | None) -> dict[str, Use]:
        """Every table whose name is known beforehand, by label.

        Raises:
            ConfigError: Two routes differ in how they write a table.
        """
        names = [self.home.table_name] if self.home.has_table else []
        names += [name for each in self.destinations for name in each.allowed(schema)]
        labels = sorted({label_in(schema, name) for name in names})
        return {label: self.use_of(label, schema) for label in labels}

    def use_of(self, label: str, schema: str | None) -> Use:
        """How the table called ``label`` is written.

        A route that names it as it is says so; otherwise those whose fields may become its name.

        Raises:
            ConfigError: No route sends records to it, or two differ in how they write it.
        """
        own = self.home if self.home.has_table else None
        is_own = own is not None and label_in(schema, own.table_name) == label
        by_label, dynamic = _sorted(self, schema)
        fixed = by_label.get(label, ())
        named = [(each, name) for each in dynamic if (name := each.table_of(label, schema))]
        senders = [*fixed, *named]
        if not senders and not is_own:
            raise ConfigError(f"no route sends records to table {label}")
        several = len(senders) > 1
        decisive = fixed or ([] if is_own else senders)
        for (one, _), (other, _) in pairwise(decisive):
            _check_alike(label, f"route {one.route}", one.config, f"route {other.route}", other)
        if own is not None and is_own:
            for one, _ in decisive:
                _check_alike(label, "--table", own, f"route {one.route}", one)
            config = own
        else:
            first, name = decisive[0]
            schemas = [each.config.schema for each, _ in decisive]
            config = replace(first.config, table=_spelt(name), schema=_joined(schemas))
        if several and not config.key:
            config = replace(config, elements=True)
        return Use(config, several, on_demand=not fixed and not is_own)


def check_routes(batches: beam.PCollection, tables: Tables) -> None:
    """Refuse batches that were routed by other routes than those of ``tables``.

    Raises:
        ConfigError: A route of one is none of the other, or says something else of its table.
    """
    from transforms.route.assign import AssignRoutes  # with mappings, which tables do not need

    for applied in lineage.applied_behind(batches, AssignRoutes):
        sent = Tables.of(tables.home, applied.transform.routes.all).destinations
        differing = {*sent} ^ {*tables.destinations}
        for destination in sorted(differing, key=lambda each: each.route):
            if destination.config.table != tables.home.table:
                raise ConfigError(
                    f"AssignRoutes and Tables.of differ in route {destination.route}; give both the "
                    "same routes, or both jobs to one: RouteToSql(RoutedSink.of(sink, routes))"
                )


MOST_TABLES = 1_000
"""How many tables that only records name a process writes; records of more of them fail."""


def use_of(tables: Tables, label: str, schema: str | None) -> Use:
    """``tables.use_of``, remembered.

    Raises:
        SinkFailed: No route sends records to the table, or two differ in how they write it.
    """
    uses = _USES.get(tables)
    use = uses.get(label)
    if use is None:
        try:
            use = tables.use_of(label, schema)
        except ConfigError as error:
            raise SinkFailed(str(error)) from error
        if len(uses) >= _MOST_REMEMBERED:
            uses.clear()
        uses[label] = use
    return use


def has_place(tables: Tables, label: str) -> bool:
    """Whether this process may write one more table that a record has named; it then has its place."""
    named = _NAMED.get(tables)
    if label not in named and len(named) >= MOST_TABLES:
        return False
    named.add(label)
    return True


_MOST_REMEMBERED = 10_000
_USES: PerProcess[Tables, dict[str, Use]] = PerProcess(lambda _: {})
_NAMED: PerProcess[Tables, set[str]] = PerProcess(lambda _: set())


Sender = tuple[Destination, TableName]
"""A destination, and the table of it that is meant."""


@lru_cache(maxsize=100)
def _sorted(
    tables: Tables, schema: str | None
) -> tuple[dict[str, list[Sender]], Sequence[Destination]]:
    """The destinations whose tables are fixed, by label, and those whose names records give."""
    fixed: dict[str, list[Sender]] = {}
    for destination in tables.destinations:
        if not destination.is_dynamic:
            name = destination.config.table_name
            fixed.setdefault(label_in(schema, name), []).append((destination, name))
    return fixed, [each for each in tables.destinations if each.is_dynamic]


def default_schema(database: Database) -> str | None:
    """The schema that labels leave out; asked once in each process.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    return _SCHEMAS.get(database)


def known_schema(database: Database) -> str | None:
    """The same without asking: None as long as this process has not asked."""
    return _SCHEMAS.peek(database)


def without_schema(label: str, schema: str | None) -> str:
    """``label`` without the default ``schema``, in case that whoever named it did not know it."""
    return label.removeprefix(f"{schema}.") if schema else label


def _ask(database: Database) -> str | None:
    doing = "ask for the default schema"
    with transaction(database, doing, write=False, refused=ConfigError) as connection:
        return connection.dialect.default_schema_name


_SCHEMAS: PerProcess[Database, str | None] = PerProcess(_ask)


def _destination(home: SqlConfig, route: Route) -> Destination:
    name = route.name or route.table
    try:
        config = replace(
            home,
            table=_FIELDS.sub(_FIELD, route.table),
            key=route.key,
            on_conflict=OnConflict.parse(route.on_conflict),
            unknown_fields=route.unknown_fields,  # type: ignore[arg-type] # which is checked
            schema=route.schema,
        )
    except ConfigError as error:
        raise ConfigError(f"route {name}: {error}") from error
    return Destination(name, config, route.tables, route.pattern)


def _whole(label: str, schema: str | None) -> str:
    return f"{schema}.{label}" if schema else label


def _spelt(name: TableName) -> str:
    """The name as ``TableName.parse`` reads it back."""
    text = str(name)
    return text if not text.startswith('"') and TableName.parse(text) == name else quoted(name)


_ALIKE = ("key", "on_conflict", "unknown_fields")


def _check_alike(label: str, one: str, config: SqlConfig, other: str, sent: Destination) -> None:
    for name in _ALIKE:
        if getattr(config, name) != getattr(sent.config, name):
            raise ConfigError(
                f"{one} and {other} both write table {label}, with another {name}; give both the "
                "same"
            )


def _joined(schemas: Sequence[str | None]) -> str | None:
    """One schema for a table whose routes have several: it has the properties of all."""
    different: list[Any] = []
    for schema in schemas:
        if schema is not None and schema not in different:
            different.append(schema)
    if len(different) < 2 or any('"$ref"' in schema for schema in different):
        return different[0] if different else None  # a reference says where in its document
    return json.dumps({"anyOf": [json.loads(schema) for schema in different]})
