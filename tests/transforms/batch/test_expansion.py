from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.batch.expansion import Branch, expansion_of, short, text_of


def test_the_text_names_number_count_and_step_of_each_branch() -> None:
    expansion = (Branch(2, 5, "Lines"), Branch(0, 3, "Words"))
    assert text_of(expansion) == "2/5:Lines,0/3:Words"
    assert short(expansion) == "2/5,0/3"


@pytest.mark.parametrize("text", [None, ""])
def test_no_text_is_no_expansion(text: str | None) -> None:
    assert expansion_of(text) == ()
    assert text_of(()) == ""


@given(st.lists(st.builds(Branch, st.integers(0, 9_999), st.integers(2, 10_000), st.text())))
def test_whatever_a_step_is_called_the_text_reads_back(branches: list[Branch]) -> None:
    assert expansion_of(text_of(tuple(branches))) == tuple(branches)


@pytest.mark.parametrize("text", ["2/5", "2:Lines", "x/5:Lines", "0/2:A,"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"2/5:Lines|invalid literal"):
        expansion_of(text)
