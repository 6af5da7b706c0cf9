"""Here tables are created, and their absence is told."""

from __future__ import annotations

import pytest


@pytest.fixture
def tables_are_there() -> bool:
    return False
