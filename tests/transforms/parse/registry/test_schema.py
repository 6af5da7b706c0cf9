from __future__ import annotations

from uuid import UUID

from transforms.parse.registry.schema import WireSchema, named


def test_the_size_is_that_of_all_texts() -> None:
    assert WireSchema("AVRO", "abc", (("name", "de"), ("other", "f"))).size == 6


def test_an_id_is_a_number_or_a_guid() -> None:
    assert named(42) == "schema id 42"
    assert named(UUID(int=7)) == "schema GUID 00000000-0000-0000-0000-000000000007"
