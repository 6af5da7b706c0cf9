from __future__ import annotations

from transforms.route.route import Route


def test_a_route_is_called_like_its_table_unless_it_has_a_name() -> None:
    assert Route("app.orders").name == "app.orders"
    assert Route("app.orders", name="debit").name == "debit"
