"""Nothing listens beyond this machine unless the user names an address."""

from __future__ import annotations

import argparse

import pytest

from pipelines.telemetry.address import address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9400", ("127.0.0.1", 9400)),
        (":9400", ("127.0.0.1", 9400)),
        ("0.0.0.0:9400", ("0.0.0.0", 9400)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:9400", ("::1", 9400)),
    ],
)
def test_a_host_is_only_what_was_named(text: str, expected: tuple[str, int]) -> None:
    assert address(text) == expected


@pytest.mark.parametrize(
    "text", ["", "localhost", "localhost:", "h:65536", "h:-1", "h:\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="HOST:PORT"):
        address(text)
