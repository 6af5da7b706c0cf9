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
