"""From ``--routes`` and the options of ``--table`` to the routes of a pipeline."""

from __future__ import annotations

from transforms.errors import ConfigError
from transforms.route.label import label_of
from transforms.route.route import Route
from transforms.route.routes import Routes
from transforms.route.table_template import has_fields
from transforms.settle.bounds import TableBounds, tightest


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


def bounds_of(routes: Routes, schema: str) -> TableBounds:
    """When the tables of ``routes`` are written.

    Args:
        routes: The routes.
        schema: The default schema of the database, which labels of tables leave out.
    """
    tables = {
        label_of(route.table, schema): route.bounds
        for route in routes.all
        if not has_fields(route.table)
    }
    named = [route.bounds for route in routes.all if has_fields(route.table)]
    return TableBounds(tables=tables, others=tightest(named) if named else None)
