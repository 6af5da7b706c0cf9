"""What DuckDB says of itself."""

from __future__ import annotations

import duckdb

from sinks.database.catalogue.duckdb import server
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database


def test_the_version_and_the_size_of_the_file(duckdb_database: Database) -> None:
    duckdb_database.run("CREATE TABLE t AS SELECT range AS n FROM range(100000)", "CHECKPOINT")
    with transaction(duckdb_database.database, "test") as connection:
        said = server(connection)
    assert (said.name, said.version, said.too_old) == ("DuckDB", duckdb.__version__, False)
    assert said.bytes is not None
    assert said.free_bytes is not None
    assert said.bytes > said.free_bytes >= 0
