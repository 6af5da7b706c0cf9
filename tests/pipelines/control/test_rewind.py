"""The options of ``sluice rewind``."""

from __future__ import annotations

import pytest

from pipelines.control.rewind import parser
from transforms.errors import ConfigError

NEEDED = ["--sink", "sqlite:///a.db", "--pipeline", "p", "--source", "kafka://t"]


def test_it_only_looks_unless_it_is_told_to_forget() -> None:
    flags = parser().parse_args([*NEEDED, "--from_offset", "0"])
    assert (flags.yes, flags.from_offset, flags.to_offset, flags.partition) == (False, 0, None, [])


def test_several_partitions_are_named_one_by_one() -> None:
    more = ["--partition", "0", "--partition", "3", "--from-offset", "9223372036854775807"]
    flags = parser().parse_args([*NEEDED, *more])
    assert (flags.partition, flags.from_offset) == (["0", "3"], 2**63 - 1)


@pytest.mark.parametrize("text", ["-1", "1e3", "", "٣", "9223372036854775808", "9" * 5000])
def test_an_offset_is_a_whole_number_that_a_database_holds(text: str) -> None:
    with pytest.raises(ConfigError, match="must be a whole number of at least 0"):
        parser().parse_args([*NEEDED, "--from_offset", text])


@pytest.mark.parametrize("missing", ["--sink", "--pipeline", "--source"])
def test_what_is_needed_is_named(missing: str) -> None:
    at = NEEDED.index(missing)
    with pytest.raises(ConfigError, match=missing):
        parser().parse_args([*NEEDED[:at], *NEEDED[at + 2 :], "--from_offset", "0"])
