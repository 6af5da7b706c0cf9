"""An order that was stored is the order that was given."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.bulk.order_text import read, written
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from transforms.batch.job_states import ACTIONS, JOB_STATES, REPLAY
from transforms.errors import ConfigError
from transforms.parse.json_text import encode_json
from transforms.steps.pipeline_identity import PipelineIdentity

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
TIMES = st.none() | st.datetimes(timezones=ZONES)
STEPS = st.lists(st.sampled_from("ABCDE"), unique=True, max_size=3).map(tuple)

SHAPES = {
    "ids": st.lists(st.integers(1, 2**62), max_size=4).map(tuple),
    "since": TIMES,
    "until": TIMES,
    "steps": st.none() | STEPS,
    **dict.fromkeys(("target", "state", "stage", "category", "source"), st.none() | TEXT),
    **dict.fromkeys(("exception", "text", "sqlstate", "pipeline"), st.none() | TEXT),
}
# A field that is new is made of its type.
FILTERS = st.builds(
    JobFilter, **{each.name: SHAPES.get(each.name, ...) for each in fields(JobFilter)}
)
ORDERS = st.builds(
    Order,
    st.sampled_from(list(ACTIONS.values())),
    FILTERS,
    st.lists(st.sampled_from(JOB_STATES), min_size=1, unique=True).map(tuple),
    max_replays=st.integers(1, 1_000),
    limit=st.none() | st.integers(1, 2**40),
    adopter=st.none()
    | st.builds(PipelineIdentity, st.just("people"), STEPS, TEXT, mapped=st.booleans()),
    unmapped=st.booleans(),
)


def through_a_database(value: Any) -> Any:
    return json.loads(encode_json(value))


@given(ORDERS)
def test_an_order_comes_back_as_it_was(order: Order) -> None:
    again = read(order.action.name, through_a_database(written(order)))
    assert again == order
    if order.adopter is not None:
        assert again.adopter is not None
        assert again.adopter.version == order.adopter.version
    assert [type(value) for value in (again.states, again.which.ids)] == [tuple, tuple]


def test_a_filter_that_is_not_known_is_refused_rather_than_ignored() -> None:
    which = written(Order.of(REPLAY, JobFilter(stage="parse")))
    which["filter"]["moon"] = "full"
    with pytest.raises(ConfigError, match="not known here: moon"):
        read("replay", which)


@pytest.mark.parametrize(
    ("action", "change"),
    [
        ("explode", {}),
        ("replay", {"filter": {"ids": ["x"]}}),
        ("replay", {"filter": None}),
        ("replay", {"more": 1}),
    ],
)
def test_what_is_no_order_is_refused(action: str, change: dict[str, Any]) -> None:
    which = {**written(Order.of(REPLAY, JobFilter())), **change}
    with pytest.raises(ConfigError, match="the order"):
        read(action, which)
