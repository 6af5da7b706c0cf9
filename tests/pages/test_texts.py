"""What pages show that is no command: sums, queries to Prometheus, and records as they are kept."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.code_blocks import BLOCKS
from tests.pages.page import shown
from tests.pipelines.commands import OUTCOMES
from tests.test_docs import ROOT
from transforms.errors import Reject
from transforms.parse import typed_rows

QUERIES = [
    query for block in BLOCKS if block.page == "docs/slo.md" for query in block.text.split("\n\n")
]


def test_a_typed_row_is_kept_like_that() -> None:
    raw = shown("docs/failures.md", '[{"id":"a"').strip().encode()
    row = typed_rows.decode(raw)
    at = datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
    assert math.isnan(row.pop("f"))
    assert row == {"id": "a", "b": b"\0\xff\x10", "at": at}
    kinds = typed_rows.types_in(raw)
    written = {**row, "b": "AP8Q", "f": "NaN", "at": "2026-01-01T00:00:00.123456Z"}
    ordered = {name: written[name] for name in ("id", "b", "f", "at")}
    assert typed_rows.RowEncoder(kinds).encode_all([ordered]) == [raw]


def test_a_row_that_cannot_be_read_is_kept_like_that() -> None:
    raw = shown("docs/failures.md", '[{"id":"u2"}').strip().encode()
    problem = "not UTF-8 at byte 0 of 2: ff fe"
    unreadable = typed_rows.Unreadable("string", problem, {"hex": "fffe"})
    assert typed_rows.RowEncoder({}).encode_unreadable({"id": "u2"}, {"s": unreadable}) == raw
    with pytest.raises(Reject, match=problem):
        typed_rows.decode(raw)


@pytest.mark.parametrize("page", ["docs/guarantees.md", "docs/rewind.md"])
def test_the_sum_has_every_outcome(page: str) -> None:
    read, outcomes = shown(page, "read + expanded").strip().split(" = ")
    assert read == "read + expanded"
    assert set(outcomes.split(" + ")) == {*OUTCOMES, "rewound"}


def test_the_metrics_of_a_query_are_there() -> None:
    metrics = (ROOT / "docs" / "metrics.md").read_text()
    named = {name for query in QUERIES for name in re.findall(r"sluice_\w+", query)}
    assert len(QUERIES) == 4
    for name in named:
        assert re.sub(r"_(bucket|count)$", "", name) in metrics, name


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="PROMTOOL IS MISSING: apt-get install prometheus"
)
def test_prometheus_takes_the_queries(tmp_path: Path) -> None:
    rules = [{"record": f"slo:{number}", "expr": query} for number, query in enumerate(QUERIES)]
    text = json.dumps({"groups": [{"name": "slo", "rules": rules}]})
    (tmp_path / "rules.yaml").write_text(text)
    done = subprocess.run(
        ["promtool", "check", "rules", tmp_path / "rules.yaml"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
