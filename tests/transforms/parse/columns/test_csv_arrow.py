"""What Arrow reads of CSV is what ``csv`` reads, or it is not read by Arrow."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transforms.batch.record import Format
from transforms.parse.columns.csv_arrow import read_by_arrow
from transforms.parse.csv.rows import parse_cells

FORMAT = Format("csv", ("a", "b"))
LIMIT = 1_000

pieces = st.sampled_from(
    [
        ",",
        '"',
        '""',
        ',"',
        '",',
        ";",
        "'",
        "a",
        "b c",
        " ",
        "\n",
        "\r",
        "\0",
        "é",
        "\ufeff",
        "NULL",
        "\\",
        "\udcff",  # becomes a byte that is not UTF-8
    ]
)
rows = st.lists(st.lists(pieces, max_size=8).map("".join), min_size=1, max_size=4)
formats = st.builds(
    Format,
    st.just("csv"),
    st.sampled_from([("a",), ("a", "b"), ("a", "b", "c")]),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(['"', "'", ""]),
)


def by_csv(raws: list[bytes], format_: Format) -> dict[str, list[str]] | None:
    read = parse_cells(raws, LIMIT, format_)
    return (
        None
        if read is None
        else dict(zip(format_.columns, map(list, zip(*read, strict=True)), strict=True))
    )


def by_arrow(raws: list[bytes], format_: Format) -> dict[str, list[str]] | None:
    """What Arrow reads, and of misfits that ``csv`` refuses them too."""
    reading = read_by_arrow(raws, LIMIT, format_)
    if reading is None:
        return None
    assert all(parse_cells([raws[index]], LIMIT, format_) is None for index in reading.misfits)
    return {name: list(cells) for name, cells in reading.columns.items()}


@settings(max_examples=1_000)
@given(rows, formats)
@example(['"a"b,c'], FORMAT)
@example(['a"b,c"d'], FORMAT)
@example(["\ufeffa,b"], FORMAT)
@example(['"a', 'b",c'], FORMAT)
@example(['"",""'], FORMAT)
@example(["", ""], Format("csv", ("a",)))
def test_arrow_reads_the_cells_that_csv_reads(texts: list[str], format_: Format) -> None:
    raws = [text.encode(errors="surrogateescape") for text in texts]
    read = by_arrow(raws, format_)
    if read is not None:
        fitting = [raw for raw in raws if parse_cells([raw], LIMIT, format_) is not None]
        wanted = by_csv(fitting, format_) if fitting else {name: [] for name in format_.columns}
        assert read == wanted


@settings(max_examples=200)
@given(
    st.lists(
        st.lists(st.text('ab,"\n; é', max_size=6), min_size=2, max_size=2), min_size=1, max_size=5
    )
)
def test_rows_as_the_standard_has_them_are_read_by_arrow(cells: list[list[str]]) -> None:
    raws = [",".join('"' + cell.replace('"', '""') + '"' for cell in row).encode() for row in cells]
    assert by_arrow(raws, FORMAT) == {"a": [a for a, _ in cells], "b": [b for _, b in cells]}


@pytest.mark.parametrize(
    "raws",
    [
        [b"1,2", b"3,\xff"],
        [b"1,2", b"\xff"],
        [b"1,2", b""],
        [b'1,"2', b'3",4'],
        [b"1,2\r3"],
        [b"\xef\xbb\xbf1,2"],
        [b"1," + b"2" * LIMIT],
    ],
)
def test_rows_that_need_another_look_are_left_to_csv(raws: list[bytes]) -> None:
    assert read_by_arrow(raws, LIMIT, FORMAT) is None


def test_rows_with_more_or_fewer_cells_are_misfits() -> None:
    reading = read_by_arrow([b"1", b"2,3", b"4,5,6", b'"7,8",9'], LIMIT, FORMAT)
    assert reading is not None
    assert reading.misfits == [0, 2]
    assert list(reading.columns["a"]) == ["2", "7,8"]


@pytest.mark.parametrize(
    "other", [replace(FORMAT, escape="\\"), replace(FORMAT, encoding="latin-1")]
)
def test_formats_that_arrow_reads_otherwise_are_left_to_csv(other: Format) -> None:
    assert read_by_arrow([b"1,2"], LIMIT, other) is None
    assert read_by_arrow([b"1,2"], LIMIT, FORMAT) is not None
