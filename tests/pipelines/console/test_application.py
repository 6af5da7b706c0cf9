"""The whole application: probes, the start, a database that goes away."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sinks.database.database import Database
from sinks.database.engine import dispose_engines
from sinks.database.migrations import migrate
from tests.pipelines.console.consoles import console


def test_a_probe_says_nothing_else(client: TestClient) -> None:
    assert (client.get("/live").text, client.get("/ready").text) == ("ok\n", "ok\n")


def test_a_database_that_goes_away_is_said_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    database = Database(f"sqlite:///{folder}/a.db", statement_timeout=5)
    migrate.prepare(database)
    with console(database) as client:
        assert client.get("/about").status_code == 200
        dispose_engines()
        (folder / "a.db").rename(tmp_path / "aside.db")
        (folder / "a.db").write_text("this is no database" * 100)
        answer = client.get("/about")
        assert answer.status_code == 503
        assert "The database does not answer" in answer.text
        assert client.get("/live").status_code == 200
        assert (client.get("/ready").status_code, client.get("/ready").text) == (503, "not ready\n")
        dispose_engines()
        (tmp_path / "aside.db").rename(folder / "a.db")
        assert client.get("/about").status_code == 200
        assert client.get("/ready").status_code == 200


@pytest.mark.parametrize("path", ["/about/", "//about", "/About"])
def test_an_address_has_one_spelling(client: TestClient, path: str) -> None:
    assert client.get(f"http://127.0.0.1:8400{path}").status_code == 404
