"""The flags of the place where records go."""

from __future__ import annotations

from pipelines.ingestion.flags import parser


def test_they_are_in_one_group_of_the_help() -> None:
    group = parser().format_help().partition("where it is written:")[2].partition("\n\n")[0]
    for option in (
        "--sink",
        "--state",
        "--table",
        "--routes",
        "--key",
        "--on_conflict",
        "--outbox",
    ):
        assert option in group


def test_a_place_for_objects_is_a_sink_of_an_ingest() -> None:
    flags = parser().parse_args(["--sink", "file:///folder?format=jsonl.gz"])
    assert flags.sink == "file:///folder?format=jsonl.gz"
