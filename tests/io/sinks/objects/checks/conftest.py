from __future__ import annotations

from pathlib import Path

import pytest

from tests.io.sinks.objects.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty sink in a folder."""
    return Lake.within(tmp_path)
