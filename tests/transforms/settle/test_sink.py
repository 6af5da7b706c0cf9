"""A ``Settled`` arrives as it was, and to learn its size takes no coding."""

from __future__ import annotations

from unittest.mock import patch

from apache_beam import coders

from tests.fakes import record_of
from transforms.batch.counts import Counts
from transforms.batch.record import Failure, Span
from transforms.errors import Reject
from transforms.settle.sink import Settled, SettledCoder

DEAD = Failure.of(record_of(b"?"), "parse", "malformed", Reject("no"))
SETTLED = Settled(Span("s", "p", 0, 1), Counts(read=1, dead=1), raw_bytes=77, dead=(DEAD,))


def test_it_arrives_as_it_was() -> None:
    coder = coders.registry.get_coder(Settled)
    assert isinstance(coder, SettledCoder)
    assert coder.decode(coder.encode(SETTLED)) == SETTLED


def test_its_size_is_known_without_its_bytes() -> None:
    with patch.object(SettledCoder, "encode", side_effect=AssertionError):
        assert SettledCoder().estimate_size(SETTLED) == 77
