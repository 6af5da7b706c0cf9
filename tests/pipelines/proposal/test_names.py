from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.proposal.names import advised, identifier, is_plain, needed, table_of, words_of


@pytest.mark.parametrize(
    ("uri", "table"),
    [
        ("./orders.csv", "orders"),
        ("/data/Orders 2026.CSV.gz", "orders_2026"),
        ("orders", "orders"),
        ("./events/*.jsonl", "events"),
        ("./events/2026/*/part-*.parquet", "part"),
        ("events/**/*.jsonl", "events"),
        ("events/2026-01-02.jsonl", "events"),
        ("2026.csv", "records_2026"),
        ("s3://bucket/in/shop/*.json", "shop"),
        ("s3://bucket/*.json", "bucket"),
        ("file:///srv/My%20Data/a-b.csv", "a_b"),
        ("kafka://h1:9092,h2:9092/shop.orders.v1?group=g&until=latest", "shop_orders_v1"),
        ("kafka://h:9092/a,b", "a"),
        ("kafka://h:9092/^shop\\..*", "shop"),
        ("日本.csv", "records"),
        ("größe.csv", "grosse"),
        ("../x/..", "x"),
        ("'; drop table x; --.csv", "drop_table_x"),
    ],
)
def test_a_table_is_named_after_its_source(uri: str, table: str) -> None:
    assert table_of(uri) == table


@given(st.text(max_size=300))
def test_an_identifier_needs_no_quotes(text: str) -> None:
    assert is_plain(identifier(text))
    assert is_plain(table_of(text))


def test_words() -> None:
    assert words_of("HTTPServer-Name_2") == ["http", "server", "name", "2"]


@given(st.lists(st.text(max_size=80), max_size=20, unique=True))
def test_new_names_leave_no_two_columns_that_a_database_confuses(names: list[str]) -> None:
    renamed = needed(names)
    after = [renamed.get(name, name) for name in names]
    assert len({name.casefold() for name in after}) == len(names)
    assert all(name.strip() and name.isprintable() for name in after)
    assert all(len(name.encode()) <= 63 for name in after)
    assert all(name in renamed or name == after[at] for at, name in enumerate(names))


def test_a_name_that_can_stay_stays() -> None:
    assert needed(["id", "a b", "größe", 'x"y']) == {}
    assert needed(["Id", "id", "ID"]) == {"id": "id_2", "ID": "id_3"}


def test_plain_names_are_advised_for_the_others() -> None:
    assert advised(["id", "Customer ID", "E-Mail", "e_mail", "日本"]) == {
        "Customer ID": "customer_id",
        "E-Mail": "e_mail_2",
        "日本": "column_5",
    }
