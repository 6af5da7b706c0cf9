from __future__ import annotations

from typing import Any

import fastavro
import pytest

from sources.files.avro.costs import Costs, costs_of


def costs(kind: Any) -> Costs:
    schema: Any = {"type": "record", "name": "r", "fields": [{"name": "a", "type": kind}]}
    return costs_of(fastavro.parse_schema(schema))


def array(items: Any) -> Any:
    return {"type": "array", "items": items}


def nested(depth: int) -> Any:
    kind: Any = "int"
    for level in range(depth):
        fields = [{"name": "f", "type": kind}]
        kind = {"type": "record", "name": f"n{level}", "fields": fields}
    return kind


def test_items_cost_what_the_memory_of_their_records_is_for_each_value() -> None:
    assert costs(array("int")).item < 64
    assert costs(array(nested(1))).item > 184
    assert costs(array(nested(50))).item > 50 * 184
    assert costs(array(["null", nested(50)])).item > 25 * 184
    assert costs({"type": "map", "values": nested(50)}).item > 25 * 184
    assert costs(array(array(nested(50)))).item > 50 * 184


def test_what_is_not_repeated_is_fixed() -> None:
    assert costs(nested(50)).fixed > 50 * 184
    assert costs(nested(50)).item == costs("int").item


@pytest.mark.parametrize("after", [[], [{"name": "x", "type": "int"}]])
def test_a_type_within_itself_is_repeated(after: list[Any]) -> None:
    fields = [{"name": "next", "type": ["null", "T"]}, *after]
    kind = {"type": "record", "name": "T", "fields": fields}
    assert costs(kind).item >= 100


def test_a_type_that_is_used_again_costs_the_same() -> None:
    fields = [{"name": "a", "type": nested(9)}, {"name": "b", "type": array("n8")}]
    assert costs({"type": "record", "name": "T", "fields": fields}).item > 9 * 184
