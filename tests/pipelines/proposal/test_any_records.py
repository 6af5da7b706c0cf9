"""Whatever the records are, the mapping and the schema that are proposed for them let all of them pass."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.proposal.draft import Draft, columns_of, keys_of
from pipelines.proposal.pipeline_text import text_of
from pipelines.proposal.sampling.sample import Sample
from pipelines.proposal.sampling.survey import Survey
from transforms.batch.record import JSON, Format, RecordBatch, Span
from transforms.mapping.map import Mapper
from transforms.mapping.mapping import Mapping
from transforms.mapping.reading.document import parsed
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.validate import validate

NAMES = st.sampled_from(
    ["id", "ID", "a", "A ", "größe", "at", "zip", "x.y", "a-b", "", "\u202e", "\x1b", "n" * 70]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)

TEXTS = (
    st.sampled_from(
        [
            *("", "7", "007", "1.50", "1e5", "1,5", "true", "no", "NA", "2026-01-02", "2026-02-30"),
            *("2026-01-02T03:04:05Z", "2026-01-02 03:04", "31.12.2026", "9" * 20, "é", " ", "-"),
            *("5b1f5a44-2f6b-4b4e-8f0c-0d8a1c2b3d4e", "2026-01-02T03:04:05.1234567Z", "[1]"),
        ]
    )
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5)
    | st.from_regex(r"[0-9TZ:.+ eE-]{1,26}", fullmatch=True)
)

SCALARS = TEXTS | st.integers() | st.booleans() | st.none() | st.decimals(-9, 9, places=2)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(NAMES, SCALARS, max_size=2)


def passed(batch: RecordBatch) -> int:
    """How many records of ``batch`` pass what is proposed for it; all of them can be read."""
    batch = parse(batch, ParseConfig())
    survey = Survey(len(batch.raws))
    survey.add(batch)
    sample = Sample(survey, batch.format, whole=True)
    columns, renamed = columns_of(sample)
    keys = keys_of(columns, survey.records, "t")
    draft = Draft("a", "sqlite:///a.db", "t", "t", {}, {}, sample, columns, renamed, keys)
    said = parsed(text_of(draft, "a.yaml"), "a.yaml")
    if "map" in said.value:
        batch = Mapper(Mapping.from_part(said.value["map"])).map(batch)
    if "schema" not in said.value:  # records are kept whole
        return len(batch.values or ())
    batch = validate(batch, json.dumps(said.value["schema"].plain))
    assert not batch.failures, (batch.failures, said.plain)
    named = {name for value in batch.values or () for name in value}
    assert named <= said.value["schema"].value["properties"].value.keys()
    return len(batch.values or ())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(NAMES, VALUES, min_size=1, max_size=5), min_size=1, max_size=6))
def test_any_objects_pass(records: list[dict[str, Any]]) -> None:
    raws = [_json(record) for record in records]
    batch = RecordBatch(Span("kafka://t", "0", 0, len(raws)), JSON, range(len(raws)), raws)
    assert passed(batch) == len(records)


def _json(value: Any) -> bytes:
    """JSON with decimals as they are."""
    if isinstance(value, dict):
        parts = (json.dumps(name).encode() + b":" + _json(part) for name, part in value.items())
        return b"{" + b",".join(parts) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(_json, value)) + b"]"
    return (str(value) if isinstance(value, Decimal) else json.dumps(value)).encode()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_rows_pass(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 5))
    names = data.draw(st.lists(NAMES, min_size=width, max_size=width, unique=True))
    rows = data.draw(st.lists(st.lists(TEXTS, min_size=width, max_size=width), min_size=1))
    nulls = data.draw(st.sampled_from([(), ("NA",)]))
    format_ = Format("csv", tuple(names), nulls=nulls)
    raws = [_row(row) for row in rows]
    batch = RecordBatch(Span("kafka://t", "0", 0, len(raws)), format_, range(len(raws)), raws)
    assert passed(batch) == len(rows)


def _row(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue().encode()
