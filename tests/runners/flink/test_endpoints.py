from __future__ import annotations

from pathlib import Path

from runners.flink.endpoints import Endpoints, endpoints, forget_endpoints, write_endpoints

CLUSTER = Endpoints("localhost:8081", "localhost:8099", "/w.sh")


def test_what_is_written_is_read_until_it_is_forgotten(tmp_path: Path) -> None:
    assert endpoints(tmp_path) is None
    write_endpoints(tmp_path, CLUSTER)
    assert endpoints(tmp_path) == CLUSTER
    for _ in range(2):
        forget_endpoints(tmp_path)
        assert endpoints(tmp_path) is None
