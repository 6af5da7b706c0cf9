"""A place of its own: how it is reached, made and removed."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from sinks.database.backends import apart


def test_a_schema_is_found_by_the_search_path_after_options_of_the_users() -> None:
    place = apart.schema(sa.make_url("postgresql+psycopg2://u@h/d?options=-cwork_mem%3D1MB"), "x_1")
    assert place.url.query["options"] == "-cwork_mem=1MB -csearch_path=x_1"
    assert place.url.database == "d"
    assert (place.create, place.remove) == ("CREATE SCHEMA x_1", "DROP SCHEMA x_1 CASCADE")


def test_a_database_on_the_same_server() -> None:
    place = apart.database(sa.make_url("mysql+pymysql://u:p@h/d?charset=utf8mb4"), "x_1")
    assert place.url == sa.make_url("mysql+pymysql://u:p@h/x_1?charset=utf8mb4")
    assert (place.create, place.remove) == ("CREATE DATABASE x_1", "DROP DATABASE x_1")


def test_a_file_beside_and_what_the_database_makes_of_it(tmp_path: Path) -> None:
    place = apart.file(sa.make_url(f"sqlite:///{tmp_path}/a.db"), "x_1", ("-wal",))
    path = tmp_path / "a.db.x_1"
    assert place.url.database == str(path)
    assert place.files == (path, Path(f"{path}-wal"))
