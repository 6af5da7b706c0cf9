from __future__ import annotations

import pickle

import pytest

from transforms import errors


class TestFromText:
    def test_an_error_is_found_in_the_stack_that_a_runner_prints(self) -> None:
        text = (
            "Traceback (most recent call last):\n"
            '  File "x.py", line 1, in f\n'
            "transforms.errors.SinkUnavailable: cannot reach db:5432 [while running 'Write/Sql']\n"
        )
        error = errors.from_text(text)
        assert type(error) is errors.SinkUnavailable
        assert str(error) == "cannot reach db:5432"

    def test_the_last_one_counts(self) -> None:
        text = "transforms.errors.Contention: first\ntransforms.errors.SinkFailed: second"
        assert type(errors.from_text(text)) is errors.SinkFailed

    @pytest.mark.parametrize("text", ["", "ValueError: no", "transforms.errors.NoSuch: x"])
    def test_anything_else_is_not_ours(self, text: str) -> None:
        assert errors.from_text(text) is None


@pytest.mark.parametrize(
    "error",
    [
        errors.Reject("no", "malformed"),
        errors.ObjectFailed("gone", "object_missing"),
        errors.SinkUnavailable("away"),
    ],
)
def test_an_error_survives_pickling(error: errors.SluiceError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.args) == (type(error), str(error), error.args)


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
    stack = errors.stack_of(caught.value)
    assert "in called" in stack
    assert "in caller" not in stack
    assert "ValueError: invalid literal" in stack, "its cause is kept"
    assert stack.endswith("Reject: no number\n")


def test_stack_and_message_are_bounded() -> None:
    with pytest.raises(ValueError, match="x") as caught:
        raise ValueError("x" * 100_000)
    assert len(errors.stack_of(caught.value)) <= errors.STACK_LIMIT
    assert len(errors.message_of(caught.value)) <= errors.MESSAGE_LIMIT


def test_of_a_reject_that_nothing_led_to_only_the_place_is_kept() -> None:
    def step() -> None:
        raise errors.Reject("no number", "schema")

    try:
        step()
    except errors.Reject as error:
        stack = errors.stack_of(error)
    line = step.__code__.co_firstlineno + 1
    assert stack == f'File "{__file__}", line {line}, in step'
    assert errors.stack_of(errors.Reject("never raised", "schema")) == ""
