"""From ``--routes`` and the options of ``--table`` to the routes of a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transforms.errors import ConfigError
from transforms.route.label import label_of
from transforms.route.route import Route
from transforms.route.routes import Routes
from transforms.route.table_template import has_fields
from transforms.settle.bounds import OF_OBJECTS, Bounds, TableBounds, tightest

if TYPE_CHECKING:
    from sinks.object_datasets import Objects  # with pyarrow, which tables do not need


def routes_of(path: str, default: Route | None) -> Routes:
    """The routes in the file at ``path``; what matches none goes to ``default``, that of ``--table``.

    Raises:
        ConfigError: The file is wrong, or has a default too.
    """
    routes: Routes = Routes.load(path)
    if default is None:
        return routes
    if routes.default is not None:
        raise ConfigError(
            f"--table {default.table} gets what matches no route, and so does the default of {path}, "
            f"{routes.default.table}; leave one of them out"
        )
    return Routes(routes.routes, default)


def bounds_of(routes: Routes | None, schema: str, objects: Objects | None = None) -> TableBounds:
    """When tables and datasets are written: those of routes as these say, otherwise tables at once.

    Args:
        routes: The routes, if there are any.
        schema: The default schema of the database, which labels of tables leave out.
        objects: The datasets; without bounds of its route, one waits for larger objects.
    """
    datasets = () if objects is None else tuple(objects.in_schema(schema).by_label)
    if routes is None:
        return TableBounds(home=OF_OBJECTS if datasets else Bounds())
    tables = dict.fromkeys(datasets, OF_OBJECTS)
    for route in routes.all:
        if not has_fields(route.table):
            label = label_of(route.table, schema)
            if not route.bounds.unset or label not in tables:
                tables[label] = route.bounds
    named = [route.bounds for route in routes.all if has_fields(route.table)]
    return TableBounds(tables=tables, others=tightest(named) if named else None)
