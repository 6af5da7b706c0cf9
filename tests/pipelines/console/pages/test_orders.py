"""Long orders are listed, followed and cancelled."""

from __future__ import annotations

from pathlib import Path

from sinks.bulk.long_orders import give
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from tests.pipelines.console.consoles import bearer, console, csrf, token_file
from tests.pipelines.console.pages.stored_letters import HOSTILE, letters
from transforms.batch.job_states import REPLAY


class TestOrders:
    def test_an_order_is_cancelled_with_a_reason(self, tmp_path: Path) -> None:
        config, _ = letters(tmp_path, {})
        order = Order.of(REPLAY, JobFilter(stage=HOSTILE[0]))
        number = give(config.database, order, actor=HOSTILE[0], reason=HOSTILE[4])
        with console(config.database, token_file=token_file(tmp_path)) as client:
            page = client.get(f"/orders/{number}", headers=bearer("viewer")).text
            assert "Cancel the rest" not in page
            for text in (page, client.get("/orders", headers=bearer("viewer")).text):
                assert "<script>alert" not in text
                assert "\u202e" not in text
            for role, status in (("viewer", 403), ("operator", 303)):
                form = {"csrf": csrf(client, headers=bearer(role)), "reason": "no need"}
                address = f"/orders/{number}/cancel"
                answer = client.post(address, data=form, headers=bearer(role))
                assert answer.status_code == status
            page = client.get(f"/orders/{number}", headers=bearer("operator")).text
            assert "cancelled by operator: no need" in page
            answer = client.post(f"/orders/{number}/cancel", data=form, headers=bearer("operator"))
            assert answer.status_code == 400

    def test_pages_of_orders(self, tmp_path: Path) -> None:
        config, _ = letters(tmp_path, {})
        for _ in range(51):
            give(config.database, Order.of(REPLAY, JobFilter()), actor="a", reason="r", expected=1)
        with console(config.database) as client:
            page = client.get("/orders").text
            assert 'href="/orders?after=2"' in page
            assert 'href="/orders/1"' in client.get("/orders?after=2").text
            assert client.get("/orders/99").status_code == 404

    def test_what_was_searched_for_in_bytes_may_be_hidden(self, tmp_path: Path) -> None:
        config, _ = letters(tmp_path, {})
        order = Order.of(REPLAY, JobFilter(text="a secret"))
        number = give(config.database, order, actor="a", reason="r", expected=1)
        tokens = token_file(tmp_path)
        with console(config.database, token_file=tokens, hide_payloads=True) as client:
            for role, is_shown in (("viewer", False), ("operator", True)):
                for path in (f"/orders/{number}", f"/api/orders/{number}", "/api/orders"):
                    answer = client.get(path, headers=bearer(role))
                    assert ("a secret" in answer.text) is is_shown, path
