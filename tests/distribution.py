"""Which tests need a service, and which run in the same process of a parallel run.

``pytest -n 3`` runs the tests in three processes (pytest-xdist). Each takes one group after another,
in the order of the tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadScopeScheduling

SERVICES = {
    *(
        "postgres_server",
        "mariadb_server",
        "kafka_broker",
        "schema_registry",
        "prism",
        "flink",
        "s3_endpoint",
    ),
    "chromium",
}
"""The fixtures that start something."""

FLINK = (
    "tests/pipelines/test_flink.py",
    "tests/pipelines/test_numbers_on_flink.py",
    "tests/pipelines/test_flink_steps.py",
    "tests/pipelines/test_control_on_flink.py",
    "tests/pipelines/test_own_stream.py",
    "tests/pipelines/test_listeners.py",
    "tests/pages/test_flink.py",
    "tests/deploy/test_worker_pool.py",
    "tests/runners/flink/test_jobs.py",
    "tests/runners/flink/local/test_cluster.py",
    "tests/runners/flink/local/test_training.py",
    "tests/test_recipes.py",
)
"""The files with tests on a Flink cluster: one group, so that only one cluster runs at a time."""

_EARLY = ("tests/pipelines/", "tests/services/", "tests/test_readme.py")
"""Where tests take seconds: one that began last would run alone at the end."""


class GroupScheduling(LoadScopeScheduling):
    """Hands out the tests in groups.

    xdist's own way, ``--dist loadgroup`` with marks, does nothing under pytest 9.2: it puts the
    group into the id of a test, where it is no longer read (xdist/remote.py).
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(test: str) -> str:
    """The group of a test: its file; a test of a whole path goes wherever there is room."""
    path = test.partition("::")[0]
    if path in FLINK:
        return "flink"
    if path.startswith("tests/pipelines/console/"):  # the tests of a file share a console
        return path
    return test if path.startswith("tests/pipelines/") else path


def ends_flink(test: str, following: str | None) -> bool:
    """Whether ``test`` is the last of its process on a Flink cluster; they follow one another."""
    return group_of(test) == "flink" and (following is None or group_of(following) != "flink")


def mark_services(items: Sequence[pytest.Item]) -> None:
    """Mark every test with a fixture that starts a service as ``integration``.

    Raises:
        pytest.UsageError: A test has a Flink cluster and is in none of the files ``FLINK``.
    """
    for item in items:
        services = SERVICES.intersection(getattr(item, "fixturenames", ()))
        if services:
            item.add_marker(pytest.mark.integration)
        if "flink" in services and group_of(item.nodeid) != "flink":
            raise pytest.UsageError(f"{item.nodeid}: add its file to FLINK in {__file__}")


def put_long_ones_first(items: list[pytest.Item]) -> None:
    """Sort ``items`` by how early they have to begin; the tests of a file keep their order."""
    items.sort(key=lambda item: _turn(item.nodeid))


def _turn(test: str) -> int:
    if group_of(test) == "flink":
        return 0
    return 1 if test.startswith(_EARLY) else 2
