from __future__ import annotations

import csv
import io
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.batch.record import Format
from transforms.parse.csv.cells import quoted_empty, written_cells

ABC = Format("csv", ("a", "b", "c"))


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (b'"",x,""', {"a", "c"}),
        (b",,", set()),
        (b'"a,"",b",x,', set()),
        (b'"""",x,""', {"c"}),
        (b'x"",y,z', set()),
        (b'"line\n""",,""', {"c"}),
    ],
)
def test_a_pair_of_quotes_is_told_from_nothing(raw: bytes, names: set[str]) -> None:
    assert quoted_empty(raw, ABC) == names


def test_the_pair_is_of_the_quotes_of_the_format() -> None:
    single = Format("csv", ("a", "b", "c"), ";", quote="'")
    assert quoted_empty(b"'';\"\";", single) == {"a"}
    assert quoted_empty(b'"",x,y', Format("csv", ("a", "b", "c"), quote="")) == frozenset()


@given(
    st.lists(st.text("ab,\"\n '", max_size=8), min_size=1, max_size=5),
    st.sampled_from((csv.QUOTE_ALL, csv.QUOTE_MINIMAL)),
)
def test_cells_are_cut_where_csv_cuts_them(row: list[str], quoting: Literal[0, 1]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="", quoting=quoting).writerow(row)
    written = written_cells(text.getvalue(), Format("csv"))
    assert len(written) == len(row)
    for cell, as_written in zip(row, written, strict=True):
        quoted = '"' + cell.replace('"', '""') + '"'
        assert as_written in (cell, quoted)
