from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sources.files.source import FilesSource
from tests.io.sources.files.watching import Watch, opened
from tests.io.sources.reading import MemoryLedger
from transforms.batch.splits import Reader


@pytest.fixture
def watch(tmp_path: Path, ledger: MemoryLedger) -> Iterator[Watch]:
    """Opens readers of the test's folder, and closes them after the test."""
    readers: list[Reader] = []

    def watching(glob: str = "*", **options: Any) -> Reader:
        files = FilesSource(f"{tmp_path}/{glob}", watch=True, poll_interval=0.05, **options)
        readers.append(opened(files, ledger))
        return readers[-1]

    yield watching
    for reader in readers:
        reader.close()
