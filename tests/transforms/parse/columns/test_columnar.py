"""Records in columns are the same records, made only where somebody asks for them."""

from __future__ import annotations

from transforms.parse.columns.columnar import (
    CHUNK,
    Chunks,
    Columnar,
    ColumnForms,
    joined,
    picked,
    pieces,
    uniform,
)

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}]


def in_columns(rows: list[dict[str, object]], asked: list[int] | None = None) -> Columnar:
    def row(index: int) -> dict[str, object]:
        if asked is not None:
            asked.append(index)
        return rows[index]

    columns = {name: [each[name] for each in rows] for name in rows[0]}
    return Columnar(columns, len(rows), row, {"a": "numeric"})


class TestColumnar:
    def test_it_is_a_sequence_of_its_records(self) -> None:
        records = in_columns(ROWS)
        assert list(records) == ROWS
        assert records[1:] == ROWS[1:]
        assert in_columns(ROWS)[-1] == ROWS[-1]
        assert len(records) == 3

    def test_only_the_record_that_is_asked_for_is_made(self) -> None:
        asked: list[int] = []
        records = in_columns(ROWS, asked)
        assert records[1] == ROWS[1]
        assert asked == [1]

    def test_all_records_are_made_once(self) -> None:
        asked: list[int] = []
        records = in_columns(ROWS, asked)
        assert [*records, *records, records[0]] == [*ROWS, *ROWS, ROWS[0]]
        assert asked == [0, 1, 2]

    def test_picked_records_keep_the_order_of_their_positions(self) -> None:
        picked = in_columns(ROWS).picked([2, 0])
        assert picked.columns == {"a": [3, 1], "b": ["z", "x"]}
        assert list(picked) == [ROWS[2], ROWS[0]]
        assert picked.written == {"a": "numeric"}


class TestJoined:
    def test_the_same_fields_stay_columns(self) -> None:
        both = joined([in_columns(ROWS), [], in_columns(ROWS[:2])])
        assert isinstance(both, Columnar)
        assert both.columns == {"a": [1, 2, 3, 1, 2], "b": ["x", "y", "z", "x", "y"]}
        assert both.written == {"a": "numeric"}
        assert [both[3], *both] == [ROWS[0], *ROWS, *ROWS[:2]]

    def test_other_fields_are_rows(self) -> None:
        other = in_columns([{"a": 4}])
        assert joined([in_columns(ROWS), other]) == [*ROWS, {"a": 4}]

    def test_cells_that_are_written_in_another_way_are_rows(self) -> None:
        other = Columnar({"a": [4], "b": ["w"]}, 1, lambda _: {"a": 4, "b": "w"})
        assert joined([in_columns(ROWS), other]) == [*ROWS, {"a": 4, "b": "w"}]

    def test_rows_beside_columns_are_rows(self) -> None:
        assert joined([in_columns(ROWS), [{"a": 4}]]) == [*ROWS, {"a": 4}]

    def test_nothing_is_no_records(self) -> None:
        assert list(joined([])) == []


class TestUniform:
    def test_records_with_other_fields_have_no_columns_in_common(self) -> None:
        assert uniform([{"a": 1}, {"b": 1}]) is None
        assert uniform([{"a": 1}, {"a": 1, "b": 1}]) is None
        assert uniform([{}]) is None

    def test_the_cells_of_a_field_are_in_the_order_of_the_records(self) -> None:
        assert uniform([{"a": 1, "b": 2}, {"b": 4, "a": 3}]) == {"a": [1, 3], "b": [2, 4]}
        assert uniform([{"a": 1}, {"a": 2}]) == {"a": [1, 2]}


class TestColumnForms:
    def test_a_field_without_a_form_is_read_as_its_value(self) -> None:
        forms = ColumnForms((("n", "numeric", "number"),))
        assert forms.of("n") == "number"
        assert forms.of("other") is None
        assert forms.types == {"n": "numeric"}


class TestChunks:
    def test_they_are_a_sequence_of_their_cells(self) -> None:
        cells = Chunks([[1, 2], (3,), [None]])
        assert [*cells] == [1, 2, 3, None]
        assert (len(cells), cells[2], cells[-1], cells[1:3]) == (4, 3, None, [2, 3])
        assert None in cells
        assert 4 not in cells
        assert picked(cells, [3, 0]) == [None, 1]

    def test_joined_ones_keep_their_pieces(self) -> None:
        parts = [Columnar({"a": Chunks([[1, 2], [3]])}, 3, lambda _: {}) for _ in range(2)]
        both = joined(parts)
        assert isinstance(both, Columnar)
        cells = both.columns["a"]
        assert isinstance(cells, Chunks)
        assert cells.parts == [[1, 2], [3], [1, 2], [3]]

    def test_columns_in_the_same_pieces_are_taken_apart_there(self) -> None:
        columns = [Chunks([[1, 2], [3]]), Chunks([["a", "b"], ["c"]])]
        assert [list(piece) for piece in pieces(columns, 3)] == [[[1, 2], ["a", "b"]], [[3], ["c"]]]

    def test_other_columns_are_cut_alike(self) -> None:
        count = CHUNK + 1
        numbers = list(range(count))
        odd = Chunks([numbers[:3], numbers[3:]])
        even = Chunks([numbers[:2], numbers[2:]])
        wanted = [[numbers[:CHUNK], numbers[:CHUNK]], [[CHUNK], [CHUNK]]]
        assert list(pieces([odd, even], count)) == wanted
        assert list(pieces([odd, numbers], count)) == wanted
