"""What a dead letter keeps of an error: its message and stack, bounded and without secrets."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable

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


def test_an_error_that_was_never_raised_has_no_places_but_what_it_says() -> None:
    conceal("word-of-the-day")
    assert stack_of(ValueError("a\nb word-of-the-day")) == "ValueError: a\nb ***\n"
    assert stack_of(ValueError("a"), quotes=False) == "ValueError\n"
    raised = ValueError("a")
    raised.__cause__ = KeyError("b")
    assert stack_of(raised) == "KeyError: 'b'\n\nwhich led to:\n\nValueError: a\n"


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


class Silent(ValueError):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def _of_a_name() -> None:
    lenght = 1
    assert length + lenght  # type: ignore[name-defined]  # noqa: F821


def _with_a_note() -> None:
    error = ValueError("bad")
    error.add_note("seen at noon")
    raise error


def _raise(error: BaseException) -> Callable[[], None]:
    def step() -> None:
        raise error

    return step


@pytest.mark.parametrize(
    "step",
    [
        _raise(ValueError("bad\nvalue")),
        _raise(KeyError("k")),
        _raise(RuntimeError()),
        _raise(Silent()),
        _raise(errors.SinkFailed("refused")),
        _raise(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")),
        _raise(SyntaxError("bad", ("f.py", 1, 2, "x y"))),
        _of_a_name,
        _with_a_note,
    ],
)
def test_a_stack_is_the_one_that_python_prints(step: Callable[[], None]) -> None:
    """All but the carets below a line."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any of them
        step()
    error = caught.value
    printed = "".join(traceback.format_exception(error))
    plain = re.sub(r"^    +[~^]+\n", "", printed, flags=re.MULTILINE)
    for _ in range(2):  # the second time, lines come from memory
        stack = stack_of(error)
        assert re.sub(r"^    +[~^]+\n", "", stack, flags=re.MULTILINE) == plain


def test_a_recursion_is_printed_once() -> None:
    def again(n: int) -> None:
        if not n:
            raise ValueError("deep")
        again(n - 1)

    with pytest.raises(ValueError, match="deep") as caught:
        again(100)
    stack = stack_of(caught.value)
    assert "Previous line repeated" in stack
    assert stack.endswith("ValueError: deep\n")
