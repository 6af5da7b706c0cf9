from __future__ import annotations

import pyarrow as pa

from sinks.objects.encoding.column_types import BOOLEAN, TEXT, decimal_of, list_of, struct_of


def test_a_decimal_has_38_digits_and_so_many_after_the_point() -> None:
    assert decimal_of(2).arrow == pa.decimal128(38, 2)


def test_arrows_type_follows_from_the_parts() -> None:
    nested = struct_of([("tags", list_of(TEXT)), ("on", BOOLEAN)])
    assert nested.arrow == pa.struct([("tags", pa.list_(pa.string())), ("on", pa.bool_())])
