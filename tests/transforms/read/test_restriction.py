from __future__ import annotations

import pytest
from apache_beam.io.restriction_trackers import OffsetRange
from apache_beam.runners.sdf_utils import RestrictionTrackerView, ThreadsafeRestrictionTracker
from apache_beam.utils.timestamp import Duration
from hypothesis import given
from hypothesis import strategies as st

from transforms.batch.splits import Split
from transforms.read.restriction import (
    Remaining,
    RemainingCoder,
    Restrictions,
    SplitTracker,
)

SPLIT = Split("memory://a", "memory://a/0", size=10)

positions = st.lists(
    st.tuples(st.text(), st.integers(min_value=-(2**63), max_value=2**63 - 1)), max_size=4
).map(tuple)
remainings = st.builds(
    Remaining,
    positions,
    st.integers(min_value=0, max_value=2**63 - 1),
    st.booleans(),
    st.integers(min_value=0, max_value=2**63 - 1),
)


def at(offset: int, *, done: bool = False) -> Remaining:
    return Remaining((("", offset),), backlog=10 - offset, done=done)


def tracker() -> SplitTracker:
    return SplitTracker(Remaining(), bounded=True)


class TestClaim:
    def test_a_claim_moves_the_restriction_to_what_is_left(self) -> None:
        tracked = tracker()
        assert tracked.try_claim(at(3))
        assert tracked.current_restriction() == Remaining((("", 3),), 7)

    def test_nothing_can_be_claimed_after_a_checkpoint(self) -> None:
        tracked = tracker()
        tracked.try_claim(at(3))
        tracked.try_split(0)
        assert not tracked.try_claim(at(6))

    def test_nothing_can_be_claimed_after_the_end(self) -> None:
        tracked = tracker()
        tracked.try_claim(at(10, done=True))
        assert not tracked.try_claim(at(11))

    def test_an_unread_split_is_an_error(self) -> None:
        tracked = tracker()
        tracked.try_claim(at(3))
        with pytest.raises(ValueError, match="left unread"):
            tracked.check_done()

    def test_a_split_read_to_its_end_is_done(self) -> None:
        tracked = tracker()
        tracked.try_claim(at(10, done=True))
        assert tracked.check_done()


class TestSplit:
    def test_a_checkpoint_before_the_first_claim_leaves_everything(self) -> None:
        tracked = tracker()
        primary, residual = tracked.try_split(0) or pytest.fail("refused")
        assert primary.done
        assert residual == Remaining()
        assert tracked.check_done()

    def test_a_checkpoint_between_claims_leaves_what_is_unclaimed(self) -> None:
        tracked = tracker()
        tracked.try_claim(at(4))
        primary, residual = tracked.try_split(0) or pytest.fail("refused")
        assert (primary.position, primary.done) == ((("", 4),), True)
        assert residual == Remaining((("", 4),), 6)
        assert tracked.check_done()

    def test_both_parts_keep_the_generation(self) -> None:
        tracked = SplitTracker(Remaining((("", 4),), 6, generation=2), bounded=True)
        primary, residual = tracked.try_split(0) or pytest.fail("refused")
        assert primary == Remaining((("", 4),), 0, done=True, generation=2)
        assert residual == Remaining((("", 4),), 6, generation=2)

    def test_a_checkpoint_after_the_end_has_nothing_to_leave(self) -> None:
        tracked = tracker()
        tracked.try_claim(at(10, done=True))
        assert tracked.try_split(0) is None

    def test_a_second_checkpoint_is_refused(self) -> None:
        tracked = tracker()
        assert tracked.try_split(0) is not None
        assert tracked.try_split(0) is None

    @pytest.mark.parametrize("fraction", [0.01, 0.5, 1.0])
    def test_a_fraction_of_an_open_end_is_refused(self, fraction: float) -> None:
        tracked = tracker()
        tracked.try_claim(at(4))
        assert tracked.try_split(fraction) is None
        assert tracked.try_claim(at(6)), "a refused split must not stop the reader"

    @given(remainings)
    def test_no_restriction_is_ever_falsy(self, remaining: Remaining) -> None:
        # deferred_status() drops a falsy residual: that would be silent loss.
        assert remaining

    def test_a_deferred_split_goes_on_where_it_stood(self) -> None:
        safe = ThreadsafeRestrictionTracker(tracker())
        view = RestrictionTrackerView(safe)
        assert view.try_claim(at(4))
        view.defer_remainder(Duration(1.5))
        residual, delay = safe.deferred_status() or pytest.fail("nothing was deferred")
        assert residual == Remaining((("", 4),), 6)
        assert delay.micros > 1_000_000, "Flink floors the delay to whole seconds"
        assert safe.check_done()


class TestProgress:
    def test_what_is_left_is_never_reported_as_nothing_before_the_end(self) -> None:
        tracked = SplitTracker(Remaining(), bounded=False)
        tracked.try_claim(Remaining((("", 4),), backlog=0))
        assert tracked.current_progress().remaining_work > 0

    def test_an_estimate_that_is_no_number_does_not_take_its_place(self) -> None:
        tracked = tracker()
        tracked.try_claim(at(4))
        progress = tracked.current_progress().with_completed(float("nan"))
        assert (progress.completed_work, progress.remaining_work) == (1, 6)

    def test_nothing_is_left_at_the_end(self) -> None:
        tracked = tracker()
        tracked.try_claim(at(10, done=True))
        assert tracked.current_progress().remaining_work == 0


class TestProvider:
    def test_the_size_is_the_backlog(self) -> None:
        provider = Restrictions(bounded=True)
        initial = provider.initial_restriction(SPLIT)
        assert provider.restriction_size(SPLIT, initial) == 10
        assert provider.restriction_size(SPLIT, Remaining((("", 7),), 3)) == 3
        assert provider.restriction_size(SPLIT, Remaining((), 0, done=True)) == 0

    def test_drain_reads_a_bounded_split_to_its_end(self) -> None:
        remaining = Remaining((("", 3),), 7)
        assert Restrictions(bounded=True).truncate(SPLIT, remaining) == remaining

    def test_drain_stops_an_endless_split(self) -> None:
        assert Restrictions(bounded=False).truncate(SPLIT, Remaining()) is None

    def test_an_endless_split_says_that_it_is_unbounded(self) -> None:
        assert not Restrictions(bounded=False).create_tracker(Remaining()).is_bounded()


class TestCoder:
    @given(remainings)
    def test_a_restriction_survives_the_round_trip(self, remaining: Remaining) -> None:
        coder = RemainingCoder()
        assert coder.decode(coder.encode(remaining)) == remaining

    @given(remainings)
    def test_equal_restrictions_have_equal_bytes(self, remaining: Remaining) -> None:
        coder = RemainingCoder()
        again = coder.decode(coder.encode(remaining))
        assert coder.encode(again) == coder.encode(remaining)
        assert coder.is_deterministic()

    @pytest.mark.parametrize(
        ("encoded", "remaining"),
        [
            # As version 1 wrote them: msgpack of position, backlog and done.
            (b"\x01\x93\x90\x00\xc2", Remaining()),
            (b"\x01\x93\x91\x92\xa0\x07\x03\xc2", Remaining((("", 7),), 3)),
            (b"\x01\x93\x91\x92\xa3t/0\xcd\x01\x2c\x00\xc3", Remaining((("t/0", 300),), done=True)),
        ],
    )
    def test_a_savepoint_of_before_generations_is_of_generation_0(
        self, encoded: bytes, remaining: Remaining
    ) -> None:
        assert RemainingCoder().decode(encoded) == remaining
        assert RemainingCoder().decode(encoded).generation == 0

    def test_bytes_of_another_version_are_refused_with_the_cure(self) -> None:
        with pytest.raises(ValueError, match=r"another version.*ledger"):
            RemainingCoder().decode(b"\x09\x93\x90\x00\xc2")

    def test_the_provider_does_not_leave_restrictions_to_pickle(self) -> None:
        assert isinstance(Restrictions(bounded=True).restriction_coder(), RemainingCoder)
        assert not isinstance(Remaining(), OffsetRange)
