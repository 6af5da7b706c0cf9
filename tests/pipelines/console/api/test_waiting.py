"""Retries due and the outbox by the API; what they list is tested with the pages."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize("address", ["/api/due", "/api/outbox"])
def test_bounds_and_positions_are_checked(client: TestClient, address: str) -> None:
    for query in ("limit=0", "limit=501", "after=x", "target=%00", "colour=red"):
        assert client.get(f"{address}?{query}").status_code == 400
    assert client.get(address).status_code == 404
