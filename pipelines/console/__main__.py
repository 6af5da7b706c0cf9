"""``python -m pipelines.console``."""

from __future__ import annotations

import sys

from pipelines import command
from pipelines.console.command import main

if __name__ == "__main__":
    sys.exit(command.run("console", main, None))
