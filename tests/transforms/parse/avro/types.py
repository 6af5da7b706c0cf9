"""Made-up types of Avro, values of them, and what they are written as."""

from __future__ import annotations

import io
from itertools import count
from typing import Any

import fastavro
from hypothesis import strategies as st


def written(schema: Any, value: Any) -> bytes:
    """A value as fastavro writes it."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(),
    "string": st.text(st.characters(exclude_categories=["Cs"])),
}


NUMBERS = count()
"""Names of types have to differ; nothing else depends on them."""


@st.composite
def typed(draw: st.DrawFn, depth: int = 0) -> tuple[Any, st.SearchStrategy[Any]]:
    """A type, and values of it."""
    kinds = ["scalar", "enum", "fixed"]
    if depth < 3:
        kinds += ["array", "map", "record", "union"]
    kind = draw(st.sampled_from(kinds))
    name = f"T{next(NUMBERS)}"
    if kind == "scalar":
        scalar = draw(st.sampled_from(sorted(SCALARS)))
        return scalar, SCALARS[scalar]
    if kind == "enum":
        symbols = [f"S{number}" for number in range(draw(st.integers(1, 90)))]
        return {"type": "enum", "name": name, "symbols": symbols}, st.sampled_from(symbols)
    if kind == "fixed":
        size = draw(st.integers(1, 20))
        return {"type": "fixed", "name": name, "size": size}, st.binary(
            min_size=size, max_size=size
        )
    if kind == "union":
        inner, values = draw(typed(depth=9))
        if inner == "null":
            return ["null", "string"], st.none() | SCALARS["string"]
        return ["null", inner], st.none() | values
    inner, values = draw(typed(depth=depth + 1).filter(lambda pair: pair[0] != "null"))
    if kind == "array":
        return {"type": "array", "items": inner}, st.lists(values, max_size=4)
    if kind == "map":
        keys = SCALARS["string"]
        return {"type": "map", "values": inner}, st.dictionaries(keys, values, max_size=4)
    other, more = draw(typed(depth=depth + 1))
    fields = [{"name": "a", "type": inner}, {"name": "b", "type": other}]
    record = {"type": "record", "name": name, "fields": fields}
    return record, st.fixed_dictionaries({"a": values, "b": more})
