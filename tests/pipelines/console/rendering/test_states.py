"""Every state has a colour or none, and those that ask for somebody have one."""

from __future__ import annotations

from typing import get_args

import pytest

from pipelines.console.rendering.states import tone
from sinks.console.overview import PipelineState


@pytest.mark.parametrize(
    ("state", "colour"),
    [
        ("running", "good"),
        ("paused", "warn"),
        ("failed", "bad"),
        ("lost", "bad"),
        ("available", ""),
    ],
)
def test_a_state_is_coloured(state: str, colour: str) -> None:
    assert tone(state) == colour


def test_only_a_pipeline_that_has_not_begun_is_without_a_colour() -> None:
    assert [state for state in get_args(PipelineState) if not tone(state)] == ["never run"]


def test_what_is_no_state_is_not_coloured() -> None:
    assert tone("<script>") == ""
