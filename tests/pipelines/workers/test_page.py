"""docs/workers.md: its command runs as printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.events import events, write
from tests.pipelines.programs import ROOT
from tests.pipelines.tables import count_rows

pytestmark = pytest.mark.slow


def test_its_command_uses_every_core(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "workers.md").read_text()
    (command,) = re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    write(tmp_path / "events", events(2_000), 4)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^2,000 +read", done.stdout, re.MULTILINE)
    assert count_rows(f"sqlite:///{tmp_path}/events.db") == 2_000
