"""The console of the shop, as if it had taken samples for an hour: python -m … --sink URL [options]."""

from __future__ import annotations

import math
import sys
import time

from pipelines.console.command import main, parser
from pipelines.console.config import STATEMENT_SECONDS
from pipelines.console.samples import EVERY_SECONDS, KEPT, samples_of
from sinks.console.sums import records_read
from sinks.database.database import Database


def fill(url: str) -> None:
    """Samples of the last hour: a stream whose rate rises and falls, and files that were read at once."""
    database = Database(url, statement_timeout=STATEMENT_SECONDS)
    samples, now = samples_of(database), time.time()
    read = records_read(database)
    for number in range(KEPT - 1, 0, -1):
        back = dict(read)
        ago = number * EVERY_SECONDS
        back["clicks"] -= int(ago * (120 + 25 * math.sin(ago / 400)))
        if ago > 1_500:
            back["orders"] -= 2_800
        samples.add(now - ago, back)


if __name__ == "__main__":
    fill(parser().parse_args(sys.argv[1:]).sink)
    sys.exit(main(sys.argv[1:]))
