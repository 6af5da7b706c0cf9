"""The key of a job is the same hash that it always was, for one record and for thousands."""

from __future__ import annotations

import hashlib
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.jobs.first.origin import digits_of, origin_of
from transforms.batch.expansion import Branch, text_of
from transforms.batch.record import Origin

branches = st.tuples(st.integers(0, 9), st.integers(2, 9), st.text(max_size=3))
origins = st.builds(
    Origin,
    st.sampled_from(["file:///a", 's3://"ü"/\\', "kafka://t"]),
    st.sampled_from(["0", "p", ""]),
    st.integers(0, 1 << 62),
    st.none() | st.integers(0, 9),
    st.lists(branches.map(lambda fields: Branch(*fields)), max_size=2).map(tuple),
)


@pytest.mark.parametrize(
    ("element", "expansion", "end"),
    [
        (None, (), ""),
        (3, (), ", 3"),
        (None, (Branch(0, 2, "a"),), None),
    ],
)
def test_the_key_of_a_job_is_the_hash_that_it_always_was(
    element: int | None, expansion: tuple[Branch, ...], end: str | None
) -> None:
    """Jobs of earlier versions are in databases under it."""
    origin = Origin('file:///"d"', "ü", 7, element, expansion)
    if end is None:
        end = f", null, {json.dumps(text_of(expansion))}"
    text = r'["events", "file:///\"d\"", "\u00fc", 7' + f"{end}]"
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    assert origin_of("events", origin) == uuid.UUID(bytes=digest)


@given(st.lists(origins, max_size=20))
def test_many_keys_are_those_of_one_at_a_time(several: list[Origin]) -> None:
    expected = [origin_of("events", origin).hex for origin in several]
    assert digits_of("events", several) == expected
