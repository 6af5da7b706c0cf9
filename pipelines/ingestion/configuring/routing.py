"""From ``--routes`` and the options of ``--table`` to the routes of a pipeline."""

from __future__ import annotations

from pathlib import Path

from transforms.errors import ConfigError
from transforms.mapping.reading.document import Part
from transforms.route.route import Route
from transforms.route.routes import Routes


def routes_of(routes: Routes | str | Part, default: Route | None) -> Routes:
    """The routes, or those in a file or a document; what matches none goes to ``default``, that of ``--table``.

    Raises:
        ConfigError: The file is wrong, or has a default too.
    """
    path = "the routes"
    if isinstance(routes, str):
        path, routes = routes, Routes.load(routes)
    elif isinstance(routes, Part):
        routes = Routes.from_part(routes, Path())
    if default is None:
        return routes
    if routes.default is not None:
        raise ConfigError(
            f"--table {default.table} gets what matches no route, and so does the default of {path}, "
            f"{routes.default.table}; leave one of them out"
        )
    return Routes(routes.routes, default)
