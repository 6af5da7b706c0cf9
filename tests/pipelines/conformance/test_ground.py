"""The place where checks write: nothing else is touched, and it is removed whatever happens."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

from pipelines.conformance.ground import Ground, Stopped, ground_in, repeated
from sinks.database.database import Database
from sinks.database.engine import dispose_engines
from tests.io.sinks.portable_dialect import SCHEME
from transforms.errors import ConfigError, Contention, SinkUnavailable

SCHEMAS = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'sluice_conformance%%'"


@pytest.fixture(autouse=True)
def engines() -> Iterator[None]:
    yield
    dispose_engines()


def use(ground: Ground) -> None:
    """Write the tables of the program and one of records."""
    ground.sink("events", key=["id"])
    assert ground.number("events") == 0


def digest(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


class TestSqlite:
    def test_the_file_itself_is_not_touched(self, tmp_path: Path) -> None:
        database = Database(f"sqlite:///{tmp_path}/a.db")
        engine = sa.create_engine(database.url)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE events (id integer)")
        engine.dispose()
        before = digest(tmp_path)
        with ground_in(database) as ground:
            use(ground)
            assert len(list(tmp_path.iterdir())) > 1
        assert digest(tmp_path) == before

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_it_is_removed_whatever_ends_the_block(
        self, tmp_path: Path, error: type[BaseException]
    ) -> None:
        grounds = []

        def block() -> None:
            with ground_in(Database(f"sqlite:///{tmp_path}/a.db")) as ground:
                grounds.append(ground)
                use(ground)
                raise error

        with pytest.raises(error):
            block()
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(Stopped):
            use(*grounds)

    def test_a_termination_ends_it_as_ctrl_c_does(self, tmp_path: Path) -> None:
        before = signal.getsignal(signal.SIGTERM)

        def block() -> None:
            with ground_in(Database(f"sqlite:///{tmp_path}/a.db")) as ground:
                use(ground)
                os.kill(os.getpid(), signal.SIGTERM)
                signal.pause()

        with pytest.raises(KeyboardInterrupt):
            block()
        assert list(tmp_path.iterdir()) == []
        assert signal.getsignal(signal.SIGTERM) == before

    def test_a_database_in_memory_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="in-memory"), ground_in(Database("sqlite://")):
            pass


class TestWithoutASchemaOfItsOwn:
    def test_an_empty_database_is_used_and_left_empty(self, tmp_path: Path) -> None:
        database = Database(f"{SCHEME}:///{tmp_path}/a.db")
        with ground_in(database) as ground:
            use(ground)
        with sa.create_engine(database.url).connect() as connection:
            assert sa.inspect(connection).get_table_names() == []

    def test_one_with_tables_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        database = Database(f"{SCHEME}:///{tmp_path}/a.db")
        engine = sa.create_engine(database.url)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE mine (id integer)")
        with (
            pytest.raises(ConfigError, match=r"has tables \(mine, …\).*empty database"),
            ground_in(database),
        ):
            pass
        with engine.connect() as connection:
            assert sa.inspect(connection).get_table_names() == ["mine"]


@pytest.mark.integration
class TestPostgres:
    def rows(self, url: str, query: str) -> list[tuple[object, ...]]:
        connection = psycopg2.connect(url)
        try:
            cursor = connection.cursor()
            cursor.execute(query)
            return list(cursor.fetchall())
        finally:
            connection.close()

    def test_a_schema_of_its_own_comes_and_goes(self, postgres_url: str) -> None:
        everything = (
            "SELECT relname, nspname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE nspname NOT LIKE 'pg_%%' ORDER BY 1, 2"
        )
        before = self.rows(postgres_url, everything)
        with ground_in(Database(postgres_url)) as ground:
            use(ground)
            assert self.rows(postgres_url, SCHEMAS) == [(1,)]
        assert self.rows(postgres_url, everything) == before
        assert self.rows(postgres_url, SCHEMAS) == [(0,)]

    def test_a_role_that_may_not_create_one_is_told_so(self, postgres_url: str) -> None:
        connection = psycopg2.connect(postgres_url)
        connection.autocommit = True
        connection.cursor().execute("CREATE ROLE bare LOGIN")
        try:
            bare = postgres_url.replace("postgres:@", "bare@")
            with (
                pytest.raises(ConfigError, match=r"refuses to create the schema.*needs the right"),
                ground_in(Database(bare)),
            ):
                pass
        finally:
            dispose_engines()
            connection.cursor().execute("DROP ROLE bare")
            connection.close()


def test_a_database_that_is_away_is_unreachable() -> None:
    with (
        pytest.raises(SinkUnavailable),
        ground_in(Database("postgresql://x@127.0.0.1:1/x")),
    ):
        pass


def test_a_transaction_is_repeated_as_often_as_the_database_asks() -> None:
    answers = iter([Contention("again"), Contention("again"), None])

    def work() -> str:
        answer = next(answers)
        if answer is not None:
            raise answer
        return "done"

    assert repeated(work) == "done"
