"""What a dead letter keeps of an error: its message and stack, bounded and without secrets."""

from __future__ import annotations

import pytest

from transforms import errors
from transforms.error_texts import message_of, stack_of
from transforms.secrets import conceal


def test_of_what_a_step_raises_on_purpose_the_stack_has_the_place() -> None:
    def called() -> None:
        try:
            int("x")
        except ValueError as error:
            raise errors.Reject("no number", "malformed") from error

    def caller() -> None:
        called()

    with pytest.raises(errors.Reject) as caught:
        caller()
    stack = stack_of(caught.value)
    assert "in called" in stack
    assert "in caller" not in stack
    assert "ValueError: invalid literal" in stack, "its cause is kept"
    assert stack.endswith("Reject: no number\n")


def test_stack_and_message_are_bounded() -> None:
    with pytest.raises(ValueError, match="x") as caught:
        raise ValueError("x" * 100_000)
    assert len(stack_of(caught.value)) <= errors.STACK_LIMIT
    assert len(message_of(caught.value)) <= errors.MESSAGE_LIMIT


def test_of_a_reject_that_nothing_led_to_only_the_place_is_kept() -> None:
    def step() -> None:
        raise errors.Reject("no number", "schema")

    try:
        step()
    except errors.Reject as error:
        stack = stack_of(error)
    line = step.__code__.co_firstlineno + 1
    assert stack == f'File "{__file__}", line {line}, in step'
    assert stack_of(errors.Reject("never raised", "schema")) == ""


def test_no_secret_is_kept_even_where_the_text_is_cut() -> None:
    conceal("word-of-the-week")
    for length in range(errors.MESSAGE_LIMIT - 20, errors.MESSAGE_LIMIT + 5):
        text = "x" * length + "word-of-the-week and so on"
        assert "word" not in message_of(ValueError(text))
    with pytest.raises(ValueError, match="week") as caught:
        raise ValueError("word-of-the-week\n" + "y" * (errors.STACK_LIMIT - 30))
    assert "week" not in stack_of(caught.value)


def test_what_may_quote_a_record_is_left_out_on_demand() -> None:
    def parse() -> None:
        try:
            int("adalovelace")
        except ValueError as error:
            raise errors.Reject("no number at byte 3", "malformed") from error

    with pytest.raises(errors.Reject) as caught:
        parse()
    assert "adalovelace" in stack_of(caught.value)
    assert message_of(caught.value, quotes=False) == "no number at byte 3"
    assert stack_of(caught.value, quotes=False).endswith("in parse")
    cause = caught.value.__cause__
    assert cause is not None
    told = message_of(cause, quotes=False) + stack_of(cause, quotes=False)
    assert "ValueError" in told
    assert 'int("adalovelace")' in told, "the line of code, not the text of the error"
    assert "invalid literal" not in told
