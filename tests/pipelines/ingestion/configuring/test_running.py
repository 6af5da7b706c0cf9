"""How a program runs, as its options say, and which of them its run shows."""

from __future__ import annotations

import argparse

import pytest

from pipelines.ingestion.configuring import running
from pipelines.ingestion.configuring.running import run_config, with_workers
from pipelines.ingestion.flags import parser
from runners.runner import named
from transforms.errors import ConfigError
from transforms.mapping.reading.document import parsed

BASE = ["--source", "/a", "--sink", "postgresql://u:hunter22@h/d", "--table", "t"]


def options(*argv: str) -> argparse.Namespace:
    flags: argparse.Namespace = parser().parse_known_args([*BASE, *argv])[0]
    return flags


def test_a_run_shows_what_differs_from_the_defaults_without_secrets() -> None:
    flags = options("--kafka_config", "sasl.password=canary", "--max_attempts", "3")
    flags.alone = {"/a": {"kafka_config": ["sasl.password=canary"], "format": "csv"}}
    shown = run_config(flags, named("DirectRunner"), []).options
    assert shown == {
        "source": ["/a"],
        "sink": "postgresql://u:***@h/d",
        "table": "t",
        "kafka_config": ["sasl.password"],
        "max_attempts": 3,
        "alone": {"/a": {"kafka_config": ["sasl.password"], "format": "csv"}},
    }


def test_a_run_says_where_a_document_was_that_no_path_names() -> None:
    flags = options()
    flags.map, flags.routes = parsed("- drop: [secret]", "p.yaml"), object()
    shown = run_config(flags, named("DirectRunner"), []).options
    assert (shown["map"], shown["routes"]) == ("in the pipeline file", "of the program")


def test_a_port_is_refused_where_other_processes_read() -> None:
    with pytest.raises(ConfigError, match=r"^--metrics_address: with FlinkRunner"):
        run_config(options("--metrics_address", "9400"), named("FlinkRunner"), [])


@pytest.mark.parametrize(("cores", "most"), [(2, 256), (64, 1_024)])
def test_more_workers_than_a_machine_can_use_are_refused(
    cores: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "usable_cores", lambda: cores)
    assert with_workers(options("--workers", str(most)), named("DirectRunner")).parallel
    line = rf"^--workers {most + 1}: this machine takes at most {most}; 0 is one for each core$"
    with pytest.raises(ConfigError, match=line):
        with_workers(options("--workers", str(most + 1)), named("DirectRunner"))
