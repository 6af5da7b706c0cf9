"""What MariaDB says of itself."""

from __future__ import annotations

from sinks.database.catalogue.mariadb import is_mariadb, server, sizes
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database


def test_it_says_what_it_is_and_how_large(mariadb: Database) -> None:
    mariadb.run("CREATE TABLE t (k int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
    with transaction(mariadb.database, "look", write=False) as connection:
        assert is_mariadb(connection)
        about = server(connection)
        assert (about.name, about.too_old) == ("MariaDB", False)
        assert about.version.count(".") == 2
        assert about.connections
        assert about.most_connections == 60
        assert about.bytes
        tables = sizes(connection, ['"t"', "lacking"])
        assert set(tables) == {'"t"'}
        assert tables['"t"'].bytes
        assert sizes(connection, []) == {}
