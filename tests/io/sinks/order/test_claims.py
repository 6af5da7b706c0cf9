"""What records say of their keys."""

from __future__ import annotations

from dataclasses import replace

from sinks.order.claims import claims_of
from sinks.order.state import Claim, Place
from tests.io.sinks.order.changes import TOPIC, batch_of, event, tombstone
from tests.io.sinks.tested_database import make_batch
from transforms.batch.expansion import Branch
from transforms.batch.record import Change


def test_events_and_tombstones() -> None:
    batch = batch_of(event("c", 1, 7), event("d", 1, 8), tombstone(1), start=5, partition="2")
    assert claims_of([batch]) == [
        Claim(7, Place(TOPIC, "2", 5)),
        Claim(8, Place(TOPIC, "2", 6), delete=True),
        Claim(None, Place(TOPIC, "2", 7), delete=True, bare=True),
    ]


def test_a_delete_that_a_condition_has_found_is_no_tombstone() -> None:
    batch = replace(make_batch([{"id": 1}]), changes=[Change(True)])
    assert claims_of([batch]) == [Claim(None, Place("file:///a", "p", 0), delete=True)]


def test_records_of_one_offset_have_an_order() -> None:
    plain = make_batch([{"id": 1}] * 3)
    batch = replace(
        plain,
        offsets=[4, 4, 4],
        elements=[0, 1, 1],
        expansions=[(), (Branch(0, 2, "s"),), (Branch(1, 2, "s"),)],
    )
    places = [claim.place for claim in claims_of([batch])]
    assert places == sorted(set(places))
    assert len(claims_of([plain, batch])) == 6
