"""Each test begins with a process that has read nothing."""

from __future__ import annotations

import pytest

from transforms.read import quota
from transforms.steps import service


@pytest.fixture(autouse=True)
def unread() -> None:
    """Forget the limits and the services of steps that tests before this one left in the process."""
    quota.reset()
    service.reset()
