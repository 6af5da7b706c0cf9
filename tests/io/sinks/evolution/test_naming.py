from __future__ import annotations

import pytest

from sinks.evolution.naming import Names, shown


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("size", ""),
        ('we"ird; DROP TABLE', ""),
        ("", "empty"),
        ("a\x00b", "NUL"),
        ("\ud800", "not valid Unicode"),
        ("ID", "differs from column id only by capitals"),
        ("straße", ""),
        ("id", "by the program itself"),
        ("é" * 31 + "e", ""),
        ("é" * 32, "has 64 bytes, and the database takes 63"),
    ],
)
def test_what_a_further_column_may_be_called(name: str, fault: str) -> None:
    names = Names(63, "bytes")
    names.take(["id"])
    said = names.fault(name)
    assert (fault in said) if fault else said == ""


def test_a_person_could_add_a_column_that_only_capitals_tell_from_another() -> None:
    names = Names(63, "bytes", {"id": "id"})
    assert names.impossible("ID") == ""
    assert "empty" in names.impossible("")


def test_a_length_may_be_counted_in_characters() -> None:
    assert Names(63, "characters").fault("é" * 63) == ""
    assert "64 characters" in Names(63, "characters").fault("é" * 64)


def test_a_name_in_a_message_is_one_short_line() -> None:
    assert shown("a\nb") == "a\ufffdb"
    assert len(shown("x" * 100)) == 60
