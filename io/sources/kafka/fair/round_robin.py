"""Share a number of records among tenants in turn. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class RoundRobin(Generic[T]):
    """The tenants with something to read, in the order of their turns.

    In one turn after another, each has an equal part of the number that is left to share. So what a
    tenant does not need goes to the others, and where there are more tenants than records, those that
    had nothing are the first next time.
    """

    def __init__(self) -> None:
        self._turns: OrderedDict[T, None] = OrderedDict()

    def join(self, tenant: T) -> None:
        """Let ``tenant`` have turns, behind all others, unless it has them already."""
        self._turns.setdefault(tenant)

    def leave(self, tenant: T) -> None:
        """Nothing of ``tenant`` waits any more."""
        self._turns.pop(tenant, None)

    def clear(self) -> None:
        """Nothing waits any more."""
        self._turns.clear()

    def shares(self, waiting: Mapping[T, int], number: int) -> dict[T, int]:
        """How many records of each tenant are next, ``number`` in all or as many as wait.

        Args:
            waiting: How many records of each tenant that has joined wait, at least one.
            number: How many are to be shared.
        """
        shares: dict[T, int] = {}
        turns = self._turns
        while turns and number > 0:
            part = max(1, number // len(turns))
            for tenant in list(turns)[:number]:
                before = shares.get(tenant, 0)
                share = min(part, waiting[tenant] - before)
                shares[tenant] = before + share
                number -= share
                if shares[tenant] == waiting[tenant]:
                    del turns[tenant]
                else:
                    turns.move_to_end(tenant)
        return shares
