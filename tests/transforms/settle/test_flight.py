from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.settle.flight import (
    Flight,
    Flights,
    Footprint,
    Line,
    Overtaken,
    TurnTimedOut,
    flights_to,
)

SOON = 10.0


def keys(*names: str, table: str = "t") -> Footprint:
    return Footprint(tables={table: frozenset(names)})


class TestFootprint:
    def test_commits_that_share_a_key_of_a_table_conflict(self) -> None:
        assert keys("a", "b").conflicts(keys("b"))
        assert not keys("a").conflicts(keys("b"))
        assert not keys("a").conflicts(keys("a", table="other"))

    def test_any_key_conflicts_with_each_of_the_table(self) -> None:
        whole = Footprint(tables={"t": None})
        assert whole.conflicts(keys("a"))
        assert keys("a").conflicts(whole)
        assert not whole.conflicts(keys("a", table="other"))

    def test_a_table_conflicts_with_those_that_it_refers_to(self) -> None:
        child = Footprint(tables={"child": frozenset("a")}, ancestors=("parent",))
        parent = keys("z", table="parent")
        assert child.conflicts(parent)
        assert parent.conflicts(child)
        sibling = Footprint(tables={"sibling": frozenset("a")}, ancestors=("parent",))
        assert not child.conflicts(sibling)

    def test_offsets_settled_twice_conflict(self) -> None:
        place = ("pipeline", "source", "0")
        first = Footprint(spans={place: ((0, 10), (20, 30))})
        assert first.conflicts(Footprint(spans={place: ((9, 12),)}))
        assert first.conflicts(Footprint(spans={place: ((15, 15), (25, 26))}))
        assert not first.conflicts(Footprint(spans={place: ((10, 20), (30, 31))}))
        assert not first.conflicts(Footprint(spans={("pipeline", "source", "1"): ((0, 10),)}))

    def test_an_exclusive_one_conflicts_with_all(self) -> None:
        assert Footprint(exclusive=True).conflicts(Footprint())
        assert Footprint().conflicts(Footprint(exclusive=True))


@contextmanager
def meanwhile(flight: Flight) -> Iterator[threading.Event]:
    """Start ``flight`` on another thread; the event says that it has started."""
    started = threading.Event()

    def start() -> None:
        flight.start()
        started.set()

    thread = threading.Thread(target=start)
    thread.start()
    yield started
    thread.join(SOON)
    assert not thread.is_alive()


class TestOrder:
    def test_one_that_shares_a_key_starts_when_the_other_has_left(self) -> None:
        flights, line = Flights(), Line()
        first, second = flights.enter(line, keys("a")), flights.enter(line, keys("a"))
        first.start()
        with meanwhile(second) as started:
            assert not flights.may_start(second)
            first.turn()
            first.leave(settled=True)
            assert started.wait(SOON)

    def test_what_conflicts_with_one_that_waits_starts_after_it(self) -> None:
        flights = Flights()
        first, second, third = (
            flights.enter(Line(), footprint) for footprint in (keys("a"), keys("a", "b"), keys("b"))
        )
        first.start()
        assert not flights.may_start(second)
        assert not flights.may_start(third)
        first.leave(settled=True)
        assert flights.may_start(second)
        assert not flights.may_start(third)

    def test_a_turn_comes_when_all_ahead_have_gone_through(self) -> None:
        flights, line = Flights(longest_turn=0), Line()
        first, second = flights.enter(line, keys("a")), flights.enter(line, keys("b"))
        first.start()
        second.start()
        with pytest.raises(TurnTimedOut):
            second.turn()
        first.turn()
        first.leave(settled=True)
        second.turn()

    def test_one_that_another_process_waits_for_gives_way_unless_it_has_its_turn(self) -> None:
        flights, line = Flights(), Line()
        first, second = flights.enter(line, keys("a")), flights.enter(line, keys("b"))
        first.start()
        second.start()
        with pytest.raises(Overtaken) as given_way:
            second.turn(lambda: True)
        assert not isinstance(given_way.value, TurnTimedOut)
        second.stumble()
        assert not flights.may_start(second)
        first.turn(lambda: True)
        first.leave(settled=True)
        second.start()
        second.turn(lambda: True)

    def test_lines_do_not_wait_for_each_other(self) -> None:
        flights = Flights(longest_turn=0)
        first, second = flights.enter(Line(), keys("a")), flights.enter(Line(), keys("b"))
        first.start()
        second.start()
        second.turn()
        first.turn()

    def test_those_behind_one_that_begins_again_begin_again_after_it(self) -> None:
        flights, line = Flights(), Line()
        first, second = flights.enter(line, keys("a")), flights.enter(line, keys("b"))
        first.start()
        second.start()
        first.stumble()
        with pytest.raises(Overtaken):
            second.turn()
        second.stumble()
        first.start()
        assert not flights.may_start(second)
        first.leave(settled=True)
        second.start()
        second.turn()

    def test_nothing_settles_behind_a_failure(self) -> None:
        flights, line = Flights(), Line()
        first, second, third = (flights.enter(line, keys(key)) for key in "abc")
        first.start()
        second.start()
        first.leave(settled=False)
        with pytest.raises(Overtaken):
            second.turn()
        with pytest.raises(Overtaken):
            third.start()

    def test_one_that_is_to_be_alone_starts_when_nothing_else_is_in_flight(self) -> None:
        flights = Flights()
        first, second, third = (flights.enter(Line(), keys(key)) for key in "abc")
        first.start()
        second.start()
        first.stumble(alone=True)
        assert not flights.may_start(first)
        assert not flights.may_start(third)
        second.leave(settled=True)
        assert not flights.may_start(third)
        assert flights.may_start(first)

    def test_no_more_than_so_many_are_in_flight(self) -> None:
        flights = Flights(most=2)
        first, second, third = (flights.enter(Line(), keys(key)) for key in "abc")
        first.start()
        second.start()
        assert not flights.may_start(third)
        second.leave(settled=True)
        assert flights.may_start(third)

    def test_those_to_one_place_know_of_each_other(self) -> None:
        assert flights_to("here") is flights_to("here")
        assert flights_to("here") is not flights_to("there")


FOOTPRINTS = st.one_of(
    st.frozensets(st.sampled_from("abcdef"), max_size=3).map(lambda some: keys(*some)),
    st.just(Footprint(tables={"t": None})),
    st.just(Footprint(exclusive=True)),
    st.just(Footprint(tables={"child": frozenset("a")}, ancestors=("t",))),
)


@settings(max_examples=150, deadline=None)
@given(
    commits=st.lists(st.tuples(st.integers(0, 2), FOOTPRINTS), max_size=12),
    most=st.integers(1, 4),
    data=st.data(),
)
def test_whatever_happens_keys_are_apart_each_line_settles_in_order_and_none_waits_for_ever(
    commits: list[tuple[int, Footprint]], most: int, data: st.DataObject
) -> None:
    flights, lines = Flights(most, longest_turn=0), [Line() for _ in range(3)]
    entered = [(number, flights.enter(lines[number], each)) for number, each in commits]
    left = [flight for _, flight in entered]
    settled: list[Flight] = []

    def running() -> list[Flight]:
        return [flight for flight in left if flight.running]

    def check() -> None:
        in_flight = running()
        assert len(in_flight) <= most
        for place, one in enumerate(in_flight):
            for other in in_flight[place + 1 :]:
                assert not one.footprint.conflicts(other.footprint)
                assert not one.alone
                assert not other.alone

    def go_on(flight: Flight) -> bool:
        """Let one that runs settle, or begin again if it must; False if it waits."""
        try:
            flight.turn()
        except TurnTimedOut:
            return False
        except Overtaken:
            flight.stumble()
            return True
        flight.leave(settled=True)
        left.remove(flight)
        settled.append(flight)
        return True

    for _ in range(data.draw(st.integers(0, 30))):
        startable = [f for f in left if not f.running and flights.may_start(f)]
        choices = [("start", f) for f in startable] + [
            (what, f) for f in running() for what in ("go on", "stumble", "alone")
        ]
        if not choices:
            break
        what, flight = data.draw(st.sampled_from(choices))
        if what == "start":
            flight.start()
        elif what == "go on":
            go_on(flight)
        else:
            flight.stumble(alone=what == "alone")
        check()
    while left:  # without further trouble, all of them go through
        moved = False
        for flight in list(left):
            if not flight.running and flights.may_start(flight):
                flight.start()
                moved = True
                check()
        for flight in running():
            moved |= go_on(flight)
        assert moved, "they wait for each other"
    for number in range(3):
        own = [flight for line, flight in entered if line == number]
        assert [flight for flight in settled if flight in own] == own
