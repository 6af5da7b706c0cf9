"""Kill an ingestion into MariaDB with SIGKILL at random points, and compare with a clean run.

python -m benchmarks.mariadb.kills [--kills 10] [--records 400000] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path

from benchmarks.files.kills import trial
from examples.events import SCHEMA, events, write
from tests.services.mariadb import MariaDb


def main() -> None:
    """Try it."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--records", type=int, default=400_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as name, MariaDb() as server:
        root = Path(name)
        write(root / "events", events(arguments.records, duplicates=0.02, broken=0.001), 8)
        (root / "schema.json").write_text(json.dumps(SCHEMA))
        clean, killed = server.create_database(), server.create_database()
        trial(root, "mariadb", clean, killed, arguments.kills, rng)


if __name__ == "__main__":
    main()
