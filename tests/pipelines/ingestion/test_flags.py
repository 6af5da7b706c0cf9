"""Every flag of an ingest says what it is for, and what it is without it."""

from __future__ import annotations

import argparse

import pytest

from pipelines.ingestion.flags import parser

ACTIONS = [action for action in parser().actions() if action.dest != "help"]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.dest)
def test_it_has_help(action: argparse.Action) -> None:
    assert action.help


@pytest.mark.parametrize(
    "action",
    [action for action in ACTIONS if type(action.default) in (int, float) and action.nargs != 0],
    ids=lambda action: action.dest,
)
def test_a_number_states_its_default(action: argparse.Action) -> None:
    assert f"default: {action.default:g}" in str(action.help).replace(",", "") or (
        f"default: {action.default}" in str(action.help)
    )


def test_hyphens_and_underscores_are_the_same() -> None:
    flags = parser().parse_args(["--max-attempts", "3", "--on-conflict=update", "--csv-null=N-A"])
    assert (flags.max_attempts, flags.on_conflict, flags.csv_null) == (3, "update", ["N-A"])


def test_a_flag_is_never_abbreviated() -> None:
    _, rest = parser().parse_known_args(["--max_attempt", "3"])
    assert rest == ["--max_attempt", "3"]
