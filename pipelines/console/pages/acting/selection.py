"""Which records somebody has chosen, and for which action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.datastructures import ImmutableMultiDict

from pipelines.console.pages.job_filters import ALL, MOST_IDS, asked, filter_of, number_of
from pipelines.console.view import View
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from transforms.batch.job_states import CANCEL, PURGE, REPLAY, Action
from transforms.errors import ConfigError

ACTIONS = {action.name: action for action in (REPLAY, CANCEL, PURGE)}


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be done with which records.

    Attributes:
        order: The action and its records.
        chosen: The filters, as they stand in the address.
        ids: The records that were selected one by one; none if all that match are meant.
    """

    order: Order
    chosen: Mapping[str, str]
    ids: Sequence[int] = ()

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The fields of a form that means the same."""
        if self.ids:
            return [("selected", str(number)) for number in self.ids]
        return [("every", "1"), *self.chosen.items()]


def selection(
    view: View, action: Action, values: ImmutableMultiDict[str, str], texts: Mapping[str, str]
) -> Selection:
    """The selection of a form.

    Args:
        view: The request.
        action: What to do.
        values: The fields of the form, which may repeat.
        texts: The same, each name once.

    Raises:
        ConfigError: Nothing is selected, or the action does not fit the state.
    """
    selected = values.getlist("selected")
    if selected:
        if len(selected) > MOST_IDS:
            raise ConfigError(f"at most {MOST_IDS:,} records can be selected one by one")
        numbers = dict.fromkeys(number_of(text, "selected") for text in selected)
        ids = tuple(number for number in numbers if number is not None)
        return Selection(Order.of(action, JobFilter(ids=ids), every_state=True), {}, ids)
    if not texts.get("every"):
        raise ConfigError("no record is selected")
    chosen = asked(view, texts)
    which = filter_of(chosen)
    every = which.state == ALL
    order = Order.of(action, replace(which, state=None) if every else which, every_state=every)
    return Selection(order, chosen)


def action_named(name: str | None) -> Action:
    """The action with this name.

    Raises:
        ConfigError: There is none.
    """
    action = ACTIONS.get(name or "")
    if action is None:
        raise ConfigError(f"an action is one of {', '.join(ACTIONS)}")
    return action
