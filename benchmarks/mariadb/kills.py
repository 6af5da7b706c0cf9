"""Kill an ingestion into MariaDB with SIGKILL at random points, and compare with a clean run.

python -m benchmarks.mariadb.kills [--kills 10] [--records 400000] [--seed 1]
"""

from __future__ import annotations

from benchmarks.files.kills import scene, trial
from tests.services.mariadb import MariaDb


def main() -> None:
    """Try it."""
    with scene(__doc__) as (root, kills, rng), MariaDb() as server:
        trial(root, "mariadb", server.create_database(), server.create_database(), kills, rng)


if __name__ == "__main__":
    main()
