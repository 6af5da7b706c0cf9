"""What is produced for the stream under faults, and the law of what must come of it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema_rs
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.stream.records import (
    COLUMNS,
    DEAD,
    GOOD,
    LATE,
    SCHEMA,
    TABLE,
    WAYS,
    Plan,
    Record,
    Row,
    outcome,
    records,
)

PLAN = Plan(seed=5, records=5_000, partitions=3, reach=300)
VALIDATOR = jsonschema_rs.validator_for(SCHEMA)

kinds = st.lists(st.sampled_from((GOOD, LATE, *DEAD)), min_size=1, max_size=6)


def value(n: int, **more: Any) -> dict[str, Any]:
    return {"id": "k", "n": n, "quantity": 1, "code": "c", **more}


def record(kind: str, n: int, partition: int = 0, **more: Any) -> Record:
    return Record(partition, "k", kind, json.dumps(value(n, **more)).encode())


def row(n: int, **more: Any) -> Row:
    return tuple(value(n, **more).get(column) for column in COLUMNS)


def by_key(sequence: Sequence[Record]) -> Mapping[str, Sequence[Record]]:
    groups: defaultdict[str, list[Record]] = defaultdict(list)
    for record in sequence:
        groups[record.key].append(record)
    return groups


@pytest.mark.parametrize("kind", DEAD)
@pytest.mark.parametrize("update", [False, True])
def test_a_good_record_behind_a_refused_one_of_its_key_has_its_row(kind: str, update: bool) -> None:
    law = outcome([record(kind, 1), record(GOOD, 2)], update=update)
    assert law.rows == {row(2)}
    assert law.fates[1] == "kept"


@pytest.mark.parametrize("update", [False, True])
def test_a_key_without_an_accepted_record_has_no_row(update: bool) -> None:
    law = outcome([record(kind, n) for n, kind in enumerate(DEAD)], update=update)
    assert law.rows == {None}
    assert set(law.fates) == {"dead"}


def test_of_good_records_the_first_stays_under_ignore() -> None:
    assert outcome([record(GOOD, 1), record(GOOD, 2)], update=False).rows == {row(1)}


def test_under_update_a_record_overwrites_what_it_has_and_leaves_what_it_lacks() -> None:
    of_key = [record(GOOD, 1, price=1, note="a"), record(GOOD, 2, price=None)]
    assert outcome(of_key, update=True).rows == {row(2, price=None, note="a")}


@pytest.mark.parametrize(
    ("kind", "before", "behind"),
    [
        ("malformed", "dead", "dead"),
        ("schema", "dead", "dead"),
        ("check", "dead", "either"),
        ("never", "either", "either"),  # when it is tried again, its key is known
    ],
)
def test_under_ignore_what_the_database_refuses_may_be_a_duplicate_of_a_known_key(
    kind: str, before: str, behind: str
) -> None:
    fates = outcome([record(kind, 1), record(GOOD, 2), record(kind, 3)], update=False).fates
    assert fates == (before, "kept", behind)


def test_under_update_what_is_refused_is_dead_wherever_it_is() -> None:
    of_key = [record(GOOD, 1), *(record(kind, 2) for kind in DEAD), record(GOOD, 3)]
    assert outcome(of_key, update=True).fates == ("kept", *("dead" for _ in DEAD), "kept")


def test_a_record_whose_parent_comes_later_is_applied_at_its_place_or_at_any_later_moment() -> None:
    of_key = [record(GOOD, 1, note="a"), record(LATE, 2, parent="p"), record(GOOD, 3, price=3)]
    law = outcome(of_key, update=True)
    assert law.rows == {
        row(3, parent="p", price=3, note="a"),
        row(2, parent="p", price=3, note="a"),
    }
    assert set(law.fates) == {"kept"}


def test_under_ignore_a_record_whose_parent_comes_later_wins_only_before_the_first_good_one() -> (
    None
):
    late, good = record(LATE, 1, parent="p"), record(GOOD, 2)
    assert outcome([late, good], update=False).rows == {row(1, parent="p"), row(2)}
    assert outcome([good, late], update=False).rows == {row(2)}


def test_equal_records_may_lie_in_any_partition_and_others_may_not() -> None:
    equal = [record(GOOD, 1, partition) for partition in range(3)]
    assert outcome(equal, update=True).rows == {row(1)}
    with pytest.raises(AssertionError, match="no order between partitions"):
        outcome([*equal, record(GOOD, 2)], update=True)


@given(kinds, st.booleans())
def test_a_key_has_a_row_exactly_when_one_of_its_records_can_be_accepted(
    of_kinds: list[str], update: bool
) -> None:
    law = outcome([record(kind, n) for n, kind in enumerate(of_kinds)], update=update)
    accepted = [n for n, kind in enumerate(of_kinds) if kind in (GOOD, LATE)]
    assert {None if each is None else each[0] for each in law.rows} <= {*accepted, None}
    assert (None in law.rows) is not bool(accepted)
    assert len(law.rows) <= 1 or LATE in of_kinds


def test_the_same_plan_makes_the_same_records() -> None:
    assert list(records(PLAN)) == list(records(PLAN))


def test_every_way_to_be_broken_is_made_half_of_them_beside_a_good_record_of_their_key() -> None:
    groups = by_key(list(records(PLAN)))
    broken = [{each.kind for each in of_key} for of_key in groups.values()]
    broken = [of_kinds for of_kinds in broken if of_kinds != {GOOD}]
    ways = Counter(next(way for way in WAYS if of_kinds & {*way}) for of_kinds in broken)
    assert set(ways) == set(WAYS)
    assert max(ways.values()) - min(ways.values()) <= 1
    shared = sum(GOOD in of_kinds for of_kinds in broken)
    assert abs(shared - len(broken) / 2) <= 2 * len(WAYS)


def test_records_of_a_key_that_differ_lie_in_one_partition() -> None:
    apart = 0
    for of_key in by_key(list(records(PLAN))).values():
        if len({each.partition for each in of_key}) > 1:
            apart += 1
            assert len({each.raw for each in of_key}) == 1
    assert apart


def test_a_parent_that_comes_later_is_good_and_comes_within_reach() -> None:
    sequence = list(records(PLAN))
    first = {each.key: at for at, each in reversed(list(enumerate(sequence)))}
    kinds_of = {key: {each.kind for each in of_key} for key, of_key in by_key(sequence).items()}
    parents = [
        (at, json.loads(each.raw)["parent"])
        for at, each in enumerate(sequence)
        if each.kind == LATE
    ]
    assert parents
    for at, parent in parents:
        assert first[parent] - at <= PLAN.reach + 100
        assert kinds_of[parent] == {GOOD}


@pytest.mark.parametrize("update", [False, True])
def test_the_law_is_what_postgres_does_with_one_record_after_the_other(
    postgres_url: str, update: bool
) -> None:
    sequence = interesting(list(records(PLAN)))
    refused: set[int] = set()
    with psycopg.connect(postgres_url) as connection:
        connection.execute(TABLE)
        waiting: list[tuple[int, dict[str, Any]]] = []
        for at, record in enumerate(sequence):
            parsed = understood(record.raw)
            if parsed is None:
                refused.add(at)
                continue
            state = offered(connection, parsed, update)
            if state == "23503":
                waiting.append((at, parsed))
            elif state is not None:
                refused.add(at)
        refused |= {at for at, parsed in waiting if offered(connection, parsed, update)}
        names = ", ".join(COLUMNS)
        query = f"SELECT id, {names} FROM events".encode()
        rows = {found[0]: found[1:] for found in connection.execute(query)}
    numbered: defaultdict[str, list[int]] = defaultdict(list)
    for at, record in enumerate(sequence):
        numbered[record.key].append(at)
    for key, places in numbered.items():
        law = outcome([sequence[at] for at in places], update=update)
        assert rows.get(key) in law.rows, key
        for at, fate in zip(places, law.fates, strict=True):
            assert fate in ("either", "dead" if at in refused else "kept"), sequence[at]
    assert {sequence[at].kind for at in refused} == set(DEAD)


def interesting(sequence: Sequence[Record]) -> list[Record]:
    """Without the good records that are alone with their key and are nobody's parent."""
    of_key = by_key(sequence)
    parents = {json.loads(each.raw)["parent"] for each in sequence if each.kind == LATE}
    return [
        each
        for each in sequence
        if len(of_key[each.key]) > 1 or each.kind != GOOD or each.key in parents
    ]


def understood(raw: bytes) -> dict[str, Any] | None:
    """The record, if it is JSON that satisfies the schema."""
    try:
        parsed: dict[str, Any] = json.loads(raw.decode())
    except ValueError:
        return None
    return parsed if VALIDATOR.is_valid(parsed) else None


def offered(
    connection: psycopg.Connection[Any], parsed: Mapping[str, Any], update: bool
) -> str | None:
    """Insert under a savepoint of its own; returns the SQLSTATE of a refusal."""
    names = list(parsed)
    changes = ", ".join(f"{name} = excluded.{name}" for name in names)
    statement = (
        f"INSERT INTO events ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))}) "
        f"ON CONFLICT (id) DO {f'UPDATE SET {changes}' if update else 'NOTHING'}"
    ).encode()
    try:
        with connection.transaction():
            connection.execute(statement, list(parsed.values()))
    except psycopg.Error as error:
        return error.sqlstate
    return None
