"""Runs, audit trail and alerts by the API; what they list is tested with the pages."""

from __future__ import annotations

from starlette.testclient import TestClient


def test_limits_are_bounds_and_unknown_parameters_are_refused(client: TestClient) -> None:
    for address in ("/api/runs", "/api/audit"):
        assert client.get(f"{address}?limit=0").status_code == 400
        assert client.get(f"{address}?limit=501").status_code == 400
        assert client.get(f"{address}?colour=red").status_code == 400
    assert client.get("/api/alerts?colour=red").status_code == 400
