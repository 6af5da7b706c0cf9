"""Which jobs an order is about: the states of its action, and what it leaves alone."""

from __future__ import annotations

import pytest

from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from transforms.batch.job_states import ADOPT, CANCEL, PURGE, REPLAY, Action
from transforms.errors import ConfigError
from transforms.steps.pipeline_identity import PipelineIdentity


@pytest.mark.parametrize(
    ("action", "state"), [(REPLAY, "executing"), (CANCEL, "executing"), (PURGE, "available")]
)
def test_a_state_that_the_action_is_not_for_is_refused(action: Action, state: str) -> None:
    with pytest.raises(ConfigError, match=f"{action.name} is for jobs .* not {state}"):
        Order.of(action, JobFilter(state=state))


@pytest.mark.parametrize("action", [REPLAY, CANCEL, PURGE])
def test_without_a_state_the_usual_ones_are_meant(action: Action) -> None:
    assert Order.of(action, JobFilter()).states == action.default
    assert Order.of(action, JobFilter(), every_state=True).states == action.states


def test_a_state_that_is_named_is_the_only_one() -> None:
    order = Order.of(REPLAY, JobFilter(state="cancelled", stage="parse"))
    assert order.states == ("cancelled",)
    assert order.which == JobFilter(stage="parse")


def test_the_trail_keeps_what_was_ordered() -> None:
    order = Order.of(ADOPT, JobFilter(stage="x"), limit=3, adopter=PipelineIdentity("p", ("A",)))
    document = order.as_json()
    assert (document["stage"], document["limit"]) == ("x", 3)
    assert document["to"] == {"pipeline": "p", "steps": ["A"]}
    assert "max_replays" not in document
