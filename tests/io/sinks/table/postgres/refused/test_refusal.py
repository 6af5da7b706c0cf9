"""What the server says of a row becomes what the driver would have raised for it."""

from __future__ import annotations

import psycopg2
import pytest

from sinks.table.postgres.refused.refusal import Refusal


def test_a_refusal_is_the_error_that_the_driver_would_have_raised() -> None:
    refusal = Refusal("23514", "no", "Failing row\tcontains (1).", "look", "somewhere")
    poison = refusal.poison(7)
    assert poison is not None
    assert (poison.index, poison.category, poison.sqlstate) == (7, "constraint", "23514")
    assert poison.message == "no: Failing row contains (1)."
    assert not poison.transient
    assert type(poison.error) is psycopg2.errors.CheckViolation
    text = "no\nDETAIL:  Failing row\tcontains (1).\nHINT:  look\nCONTEXT:  somewhere\n"
    assert str(poison.error) == text


def test_the_value_that_copy_could_not_read_is_part_of_the_message() -> None:
    context = 'COPY t, line 3, column v: "x"'
    poison = Refusal("22P02", "no integer", context=context).poison(0)
    assert poison is not None
    assert poison.message == 'no integer (column v: "x")'


def test_secrets_are_left_out() -> None:
    poison = Refusal("P0001", "postgres://me:hunter2@host/db").poison(0)
    assert poison is not None
    assert "hunter2" not in poison.message


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("23503", psycopg2.errors.ForeignKeyViolation),
        ("22999", psycopg2.DataError),
        ("23999", psycopg2.IntegrityError),
        ("P0999", psycopg2.InternalError),
        ("ZZ001", psycopg2.DatabaseError),
    ],
)
def test_codes_of_triggers_are_errors_of_the_drivers_classes(
    sqlstate: str, kind: type[Exception]
) -> None:
    poison = Refusal(sqlstate, "no").poison(0)
    assert poison is not None
    assert type(poison.error) is kind


@pytest.mark.parametrize("sqlstate", ["42501", "42P01", "40P01", "53100", "57014", "5Z000"])
def test_a_code_that_does_not_blame_the_row_by_itself_says_nothing(sqlstate: str) -> None:
    assert Refusal(sqlstate, "no").poison(0) is None
