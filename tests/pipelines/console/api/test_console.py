"""What this console is, as JSON."""

from __future__ import annotations

from starlette.testclient import TestClient

from sinks.database.tables import VERSION


def test_it_says_what_it_looks_at_and_who_asks(client: TestClient) -> None:
    about = client.get("/api/about").json()
    assert about.keys() == {"database", "tables", "user", "role", "read_only"}
    assert (about["tables"], about["read_only"]) == (VERSION, False)
