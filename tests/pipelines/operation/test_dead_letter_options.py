"""The flags of ``dead_letters``: which each action takes, and what is refused."""

from __future__ import annotations

import pytest

from pipelines.operation.dead_letter_options import parser
from transforms.batch.job_states import ACTIONS
from transforms.errors import ConfigError


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_takes_only_the_states_that_it_applies_to(action: str) -> None:
    states = {
        state
        for state in ("available", "executing", "completed", "discarded", "all")
        if taken(action, "--state", state)
    }
    applies = {*ACTIONS[action].states, "all"}
    assert states == applies & {"available", "executing", "completed", "discarded", "all"}


def taken(action: str, *more: str) -> bool:
    try:
        parser().parse_args([action, "--sink", "sqlite://", *more])
    except ConfigError:
        return False
    return True


def test_a_filter_is_given_once_and_a_number_may_be_repeated() -> None:
    argv = ["list", "--sink", "sqlite://"]
    assert parser().parse_args([*argv, "--id", "1", "--id", "2"]).id == [1, 2]
    with pytest.raises(ConfigError, match="--table is given twice"):
        parser().parse_args([*argv, "--table", "a", "--table", "b"])
    with pytest.raises(ConfigError, match="--source is given twice"):
        parser().parse_args([*argv, "--origin", "a", "--source", "b"])
