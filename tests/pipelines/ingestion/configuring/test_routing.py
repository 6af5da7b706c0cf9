"""From a file of routes, and the table of the command line, to the routes of a pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.ingestion.configuring.routing import routes_of
from transforms.errors import ConfigError
from transforms.route.route import Route

ORDERS = "routes:\n- {table: orders, when: {field: type, is: order}}\n"


def test_the_table_of_the_command_line_gets_what_matches_no_route(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(ORDERS)
    table = Route("rest", key=("id",))
    assert routes_of(str(path), table).default == table
    assert routes_of(str(path), None).default is None


def test_the_file_may_have_the_default_instead_but_not_too(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(f"{ORDERS}default: {{table: rest}}\n")
    default = routes_of(str(path), None).default
    assert default is not None
    assert default.table == "rest"
    with pytest.raises(ConfigError, match=r"^--table t gets what matches no route, and so does"):
        routes_of(str(path), Route("t"))
