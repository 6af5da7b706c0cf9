"""What a form selects."""

from __future__ import annotations

import pytest
from starlette.datastructures import ImmutableMultiDict

from pipelines.console.access.roles import Role, User
from pipelines.console.config import ConsoleConfig
from pipelines.console.pages.acting.selection import action_named, selection
from pipelines.console.view import View
from sinks.database.database import Database
from transforms.batch.job_states import PURGE, REPLAY
from transforms.errors import ConfigError

VIEW = View(ConsoleConfig(Database("sqlite://")), User("ann", Role.ADMIN, "loopback"))


def form(*fields: tuple[str, str]) -> ImmutableMultiDict[str, str]:
    return ImmutableMultiDict(fields)


class TestSelection:
    def test_records_one_by_one_in_every_state_of_the_action(self) -> None:
        values = form(("selected", "3"), ("selected", "1"), ("selected", "3"), ("stage", "parse"))
        chosen = selection(VIEW, REPLAY, values, values)
        assert chosen.order.which.ids == (3, 1)
        assert chosen.order.states == REPLAY.states
        assert chosen.fields == [("selected", "3"), ("selected", "1")]

    def test_all_that_match_come_back_from_their_fields(self) -> None:
        values = form(("every", "1"), ("stage", "parse"), ("state", "all"), ("csrf", "x"))
        chosen = selection(VIEW, PURGE, values, values)
        assert (chosen.order.which.stage, chosen.order.states) == ("parse", PURGE.states)
        again = form(*chosen.fields)
        assert selection(VIEW, PURGE, again, again).order == chosen.order

    @pytest.mark.parametrize("values", [form(), form(("every", "")), form(("selected", "x"))])
    def test_nothing_selected_is_refused(self, values: ImmutableMultiDict[str, str]) -> None:
        with pytest.raises(ConfigError):
            selection(VIEW, REPLAY, values, values)

    def test_an_action_has_a_name(self) -> None:
        assert action_named("purge") is PURGE
        for name in (None, "", "adopt"):
            with pytest.raises(ConfigError):
                action_named(name)
