from __future__ import annotations

from typing import Any

import pytest

from sources.files.csv.header import Header
from sources.files.csv.options import CsvOptions
from sources.files.failures import Undecided
from transforms.batch.expected import ExpectedFields

URI = "file:///x.csv"


def columns_of(
    text: str,
    *expected: str,
    complete: bool = False,
    renamed: bool = False,
    **options: Any,
) -> tuple[str, ...]:
    fields = ExpectedFields(frozenset(expected), complete, renamed)
    rows = [line.split(",") if line else [] for line in text.split("\n")]
    return Header(CsvOptions.of(**options), fields, URI).columns(rows)[0]


class TestNames:
    @pytest.mark.parametrize(
        ("header", "columns"),
        [
            (" id ,\tname\t", ("id", "name")),
            ("\ufeffid,\u00a0name\u200b", ("id", "name")),
            ("first name,n", ("first name", "n")),
            ("id,,name", ("id", "", "name")),
            (",id,  ", ("", "id", "")),
            ("name,name", ("name", "name_2")),
            ("name,name,name ,name_2", ("name", "name_3", "name_4", "name_2")),
        ],
    )
    def test_blanks_around_them_go_and_equal_ones_get_a_number(
        self, header: str, columns: tuple[str, ...]
    ) -> None:
        assert columns_of(header) == columns

    def test_blanks_stay_if_a_column_of_the_table_has_them(self) -> None:
        assert columns_of(" id,n", " id", "n", complete=True) == (" id", "n")

    @pytest.mark.parametrize(
        ("text", "columns"),
        [
            ("id,name\n1,a,\n2,b,", ("id", "name", "")),
            ("id,name\n1,a,,\n2,b,", ("id", "name", "", "")),
            ("id,name\n1,a,\n2,b", ("id", "name")),  # an unquoted comma, perhaps
            ("id,name\n1,a,\n2,b,x", ("id", "name")),
            ("id,name\n\n1,a,", ("id", "name", "")),  # after a malformed record
            ("id,name", ("id", "name")),
        ],
    )
    def test_a_comma_at_the_end_of_all_rows_is_a_column_without_a_name(
        self, text: str, columns: tuple[str, ...]
    ) -> None:
        assert columns_of(text) == columns

    def test_names_of_the_user_leave_the_commas_behind_them_alone(self) -> None:
        assert columns_of("id,name,\n1,a,", columns="n,m", header="true") == ("n", "m", "")
        assert columns_of("1,a,\n2,b,", columns="n,m") == ("n", "m", "")


class TestWhatMatchesNothing:
    @pytest.mark.parametrize(
        "header", ["Customer Id,n", "CUSTOMER_ID,n", "customer-id,n", "CustomerId,x"]
    )
    @pytest.mark.parametrize("complete", [True, False])
    def test_a_name_that_differs_in_case_or_blanks_is_refused_with_the_one_it_resembles(
        self, header: str, complete: bool
    ) -> None:
        with pytest.raises(Undecided, match="customer_id") as refused:
            columns_of(header, "customer_id", complete=complete)
        assert repr(header.partition(",")[0]) in str(refused.value)
        assert "--csv_columns" in str(refused.value)

    def test_it_is_refused_beside_names_that_match(self) -> None:
        with pytest.raises(Undecided, match=r"'Full Name'.*full_name"):
            columns_of("id,Full Name", "id", "full_name", complete=True)

    def test_a_name_that_resembles_a_column_that_is_there_is_another_field(self) -> None:
        assert columns_of("id,ID", "id", complete=True) == ("id", "ID")

    def test_nothing_is_refused_if_a_step_may_rename_it_or_the_user_says_it_is_a_header(
        self,
    ) -> None:
        text, table = "id,Full Name,id,\n1,a,b,c", ("id", "full_name")
        taken = ("id", "Full Name", "id_2", "")
        assert columns_of(text, *table, complete=True, renamed=True) == taken
        assert columns_of(text, *table, complete=True, header="true") == taken

    def test_a_column_without_a_name_but_with_values_that_no_column_takes_is_refused(
        self,
    ) -> None:
        text = ",id\n0,1\n1,2"
        with pytest.raises(Undecided, match=r"column 1 .*no name.*'0'.*column_1.*--unknown_fields"):
            columns_of(text, "id", complete=True)
        assert columns_of(text, "id", "column_1", complete=True) == ("", "id")
        assert columns_of(text, "id") == ("", "id")

    def test_it_is_not_refused_for_a_value_in_some_rows(self) -> None:
        assert columns_of("id,\n1,x\n2,", "id", complete=True) == ("id", "")

    def test_a_second_column_of_a_name_that_no_column_takes_is_refused(self) -> None:
        with pytest.raises(Undecided, match=r"column 2 .*'id'.*id_2"):
            columns_of("id,id\n1,", "id", complete=True)
        assert columns_of("id,id\n1,2", "id", "id_2", complete=True) == ("id", "id_2")


class TestQuotes:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("id,ada@example.org\n1,x", "field 2 is a value"),
            ("name,17\n", "field 2 is a number"),
            ("2026-01-02,name\n", "field 1 is a date"),
            (",id\nada@example.org,1", "column 1 .* has no name, but a value in each row, and"),
            ("id,id\n1,ada@example.org", "column 2 .* is called as one before it is"),
        ],
    )
    def test_where_fields_are_hidden_no_cell_is_in_a_message(self, text: str, says: str) -> None:
        fields = ExpectedFields(frozenset({"id"}), complete=True, quotes=False)
        rows = [line.split(",") for line in text.split("\n")]
        with pytest.raises(Undecided, match=says) as refused:
            Header(CsvOptions.of(), fields, URI).columns(rows)
        for cell in ("ada@example.org", "17", "2026-01-02", "'id'"):
            assert cell not in str(refused.value)
