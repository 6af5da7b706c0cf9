"""Whether a split is read, by what is asked of its pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from transforms.read.control import Control, Limit, State
from transforms.read.hold import Hold


@dataclass(frozen=True)
class Asked:
    """What is asked of each source, and the limits of all of them."""

    states: dict[str, State] = field(default_factory=dict, hash=False)
    limits: list[Limit] = field(default_factory=list, hash=False)
    begun: list[int] = field(default_factory=list, hash=False)

    def begin(self) -> None:
        self.begun.append(1)

    def of(self, source: str) -> Control:
        concerned = (limit for limit in self.limits if limit.name in ("", source))
        return Control(self.states.get(source, "running"), limits=tuple(concerned))


@pytest.mark.parametrize(
    ("state", "polls", "emits"),
    [("running", True, True), ("draining", False, True), ("paused", False, False)],
)
def test_a_drain_emits_what_was_polled_and_a_pause_does_not(
    state: State, polls: bool, emits: bool
) -> None:
    hold = Hold(Asked({"a": state}), "a")
    assert (not hold.before_poll(), not hold.before_batch()) == (polls, emits)
    assert not Hold(Asked({"a": state}), "b").before_poll()


def test_whoever_reads_begins_to_ask() -> None:
    asked = Asked()
    Hold(asked, "a")
    assert asked.begun == [1]


def test_where_nobody_can_ask_everything_is_read() -> None:
    assert not Hold().before_poll()
    assert not Hold().before_batch()
