from __future__ import annotations

from pathlib import Path

import pytest

from tests.io.sinks.objects.filled_lake import FilledLake


@pytest.fixture
def lake(tmp_path: Path) -> FilledLake:
    """An empty sink in a folder."""
    return FilledLake.within(tmp_path)
