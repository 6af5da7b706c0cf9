"""Long orders by the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinks.bulk.long_orders import give
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from tests.pipelines.console.consoles import bearer, console, token_file
from tests.pipelines.console.pages.stored_letters import letters
from transforms.batch.job_states import REPLAY


class TestOrders:
    @pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operator", 200)])
    def test_operators_cancel(self, tmp_path: Path, role: str, status: int) -> None:
        config, _ = letters(tmp_path, {})
        order = Order.of(REPLAY, JobFilter(stage="parse"))
        number = give(config.database, order, actor="ann", reason="why")
        with console(config.database, token_file=token_file(tmp_path)) as client:
            answer = client.get(f"/api/orders/{number}", headers=bearer(role)).json()
            assert (answer["actor"], answer["which"]["filter"]["stage"]) == ("ann", "parse")
            cancelled = client.post(
                f"/api/orders/{number}/cancel", json={"reason": "x"}, headers=bearer(role)
            )
            assert cancelled.status_code == status
            assert client.get("/api/orders/99", headers=bearer(role)).status_code == 404
