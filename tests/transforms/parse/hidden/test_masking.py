"""Hidden fields are masked wherever they are in a record; everything else stays as it is."""

from __future__ import annotations

import pytest

from transforms.parse.hidden.masking import Masker, parsed, written
from transforms.parse.hidden.paths import in_record

MAIL = ("email",)
CARD = ("user", "card")


def masked(text: str, *hidden: tuple[str, ...]) -> str:
    return written(Masker(in_record(hidden)).masked(parsed(text)))


@pytest.mark.parametrize(
    ("text", "hidden", "shown"),
    [
        ('{"email": "a@b.c", "id": 1}', MAIL, '{"email": "***", "id": 1}'),
        ('{"email": "a@b.c", "email": "d@e.f"}', MAIL, '{"email": "***", "email": "***"}'),
        (r'{"\u0065mail": "a@b.c"}', MAIL, '{"email": "***"}'),
        ('{"EMAIL ": "a@b.c"}', MAIL, '{"EMAIL ": "***"}'),
        ('{"email": ["a@b.c"]}', MAIL, '{"email": "***"}'),
        ('{"email": {"work": "a@b.c"}}', MAIL, '{"email": "***"}'),
        ('{"email": 17}', MAIL, '{"email": "***"}'),
        ('{"email": null}', MAIL, '{"email": null}'),
        ('{"user": {"card": "4111", "n": 1.50}}', CARD, '{"user": {"card": "***", "n": 1.50}}'),
        ('{"user": [{"card": "4111"}, 7]}', CARD, '{"user": [{"card": "***"}, "***"]}'),
        ('{"user": "4111"}', CARD, '{"user": "***"}'),
        ('{"user.card": "4111"}', CARD, '{"user.card": "***"}'),
        ('{"card": "open"}', CARD, '{"card": "open"}'),
        ('{"Records": [{"email": "a@b.c"}]}', MAIL, '{"Records": [{"email": "***"}]}'),
        ('[{"email": "a@b.c"}, "a@b.c"]', MAIL, '[{"email": "***"}, "***"]'),
        ('"a@b.c"', MAIL, '"***"'),
        ('{"items": [{"to": "a@b.c"}]}', ("items", "0", "to"), '{"items": [{"to": "***"}]}'),
        ('{"items": ["a@b.c"]}', ("items", "*"), '{"items": ["***"]}'),
        ("{}", MAIL, "{}"),
    ],
)
def test_a_hidden_value_is_not_shown(text: str, hidden: tuple[str, ...], shown: str) -> None:
    assert masked(text, hidden) == shown


def test_numbers_and_names_of_what_is_shown_stay_as_they_are_written() -> None:
    text = (
        '{"n": 1.500, "e": 1E9, "big": 123456789012345678901234567890, "x": [true, null, NaN, []]}'
    )
    assert masked(text, MAIL) == text


def test_the_texts_that_were_masked_are_remembered() -> None:
    masker = Masker(in_record((MAIL,)))
    masker.masked(parsed('{"email": [{"x": "a@b.c"}, 17], "id": "free"}'))
    assert masker.values == {"a@b.c", "17"}
