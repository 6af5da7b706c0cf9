"""What Beam remembers is what it would find again."""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.coders import VarIntCoder
from apache_beam.options.pipeline_options import (
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
)
from apache_beam.transforms import userstate
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec

from runners.beam import memory
from runners.beam.private import UnexpectedBeam, option_classes


@pytest.fixture
def beams(
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Beam as it is, whatever tests before this one remembered: what finds specs, and makes views."""
    specs, views = userstate.get_dofn_specs, vars(PipelineOptions)["view_as"]
    asked = getattr(specs, "_ask", specs)
    viewed = getattr(views, "_view_as", views)
    monkeypatch.setattr(userstate, "get_dofn_specs", asked)
    monkeypatch.setattr(PipelineOptions, "view_as", viewed)
    return asked, viewed


class Plain(beam.DoFn):
    def process(self, element: int) -> None:
        """Nothing."""


class Stateful(beam.DoFn):
    STATE = ReadModifyWriteStateSpec("state", VarIntCoder())
    TIMER = TimerSpec("timer", TimeDomain.WATERMARK)

    def process(
        self,
        element: int,
        state: Any = beam.DoFn.StateParam(STATE),  # noqa: B008 - Beam's way
        timer: Any = beam.DoFn.TimerParam(TIMER),  # noqa: B008 - Beam's way
    ) -> None:
        """Nothing."""

    @userstate.on_timer(TIMER)  # type: ignore[untyped-decorator]
    def fire(self) -> None:
        """Nothing."""


class Twice(beam.DoFn):
    STATE = ReadModifyWriteStateSpec("state", VarIntCoder())

    def process(
        self,
        element: int,
        one: Any = beam.DoFn.StateParam(STATE),  # noqa: B008 - Beam's way
        other: Any = beam.DoFn.StateParam(STATE),  # noqa: B008 - Beam's way
    ) -> None:
        """Beam refuses it."""


class Lends(beam.DoFn):
    """Its instances have a method of another object."""

    def __init__(self, lender: beam.DoFn) -> None:
        self.lent = lender.process


@pytest.mark.usefixtures("beams")
class TestSpecs:
    def test_they_are_those_that_beam_finds(self) -> None:
        memory.remember()
        for _ in range(2):
            assert userstate.get_dofn_specs(Plain()) == (set(), set())
            assert userstate.get_dofn_specs(Stateful()) == ({Stateful.STATE}, {Stateful.TIMER})

    def test_whoever_asks_may_change_the_answer(self) -> None:
        memory.remember()
        userstate.get_dofn_specs(Stateful())[0].clear()
        assert userstate.get_dofn_specs(Stateful())[0] == {Stateful.STATE}

    def test_methods_of_an_instance_are_not_those_of_the_next(self) -> None:
        memory.remember()
        for lender, states in ((Plain(), set()), (Stateful(), {Stateful.STATE})):
            assert userstate.get_dofn_specs(Lends(lender))[0] == states

    def test_what_beam_refuses_is_refused_each_time(self) -> None:
        memory.remember()
        for _ in range(2):
            with pytest.raises(ValueError, match="duplicate"):
                userstate.get_dofn_specs(Twice())

    def test_a_class_is_read_once(self, beams: tuple[Any, Any]) -> None:
        asked = []

        def get_dofn_specs(dofn: Any) -> Any:
            asked.append(type(dofn))
            return beams[0](dofn)

        specified = memory._Specified(get_dofn_specs)
        for dofn in (Plain(), Plain(), Stateful(), Plain()):
            specified(dofn)
        assert asked == [Plain, Stateful]


@pytest.mark.usefixtures("beams")
class TestViews:
    FLAGS = ("--streaming", "--environment_type=LOOPBACK", "--sdk_worker_parallelism=3")

    def test_they_have_the_values_of_beam_s_own(self, beams: tuple[Any, Any]) -> None:
        expected = [
            beams[1](PipelineOptions(self.FLAGS), cls).get_all_options() for cls in option_classes()
        ]
        memory.remember()
        options = PipelineOptions(self.FLAGS)
        for _ in range(2):
            assert [options.view_as(cls).get_all_options() for cls in option_classes()] == expected
        assert options.view_as(StandardOptions).streaming is True
        assert options.view_as(PortableOptions).sdk_worker_parallelism == "3"

    def test_what_one_view_changes_others_see(self) -> None:
        memory.remember()
        options = PipelineOptions(self.FLAGS)
        options.view_as(StandardOptions).streaming = False
        assert options.view_as(StandardOptions).streaming is False
        assert options.view_as(SetupOptions).view_as(StandardOptions).streaming is False

    def test_options_of_another_command_line_have_their_own(self) -> None:
        memory.remember()
        one, other = PipelineOptions(self.FLAGS), PipelineOptions([])
        assert one.view_as(StandardOptions).streaming
        assert not other.view_as(StandardOptions).streaming
        one._all_options = other._all_options
        assert not one.view_as(StandardOptions).streaming

    def test_a_view_is_made_once(self) -> None:
        memory.remember()
        options = PipelineOptions(self.FLAGS)
        assert options.view_as(StandardOptions) is options.view_as(StandardOptions)
        assert options.view_as(StandardOptions) is not options.view_as(PortableOptions)

    def test_options_are_pickled_as_before_and_are_not_kept(self) -> None:
        memory.remember()
        options = PipelineOptions(self.FLAGS)
        options.view_as(StandardOptions)
        copy = pickle.loads(pickle.dumps(options))
        assert copy.view_as(StandardOptions).streaming is True
        kept = weakref.ref(options)
        del options
        gc.collect()
        assert kept() is None


def finds_otherwise(dofn: object, method: str) -> None:
    """Has not the signature that is expected."""


def test_a_beam_that_finds_them_otherwise_is_refused(
    beams: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(userstate, "get_dofn_specs", finds_otherwise)
        with pytest.raises(UnexpectedBeam, match="get_dofn_specs finds states"):
            memory.remember()
        assert userstate.get_dofn_specs is finds_otherwise
    monkeypatch.setattr(PipelineOptions, "view_as", finds_otherwise)
    with pytest.raises(UnexpectedBeam, match="view_as makes views"):
        memory.remember()
    assert PipelineOptions.view_as is finds_otherwise


def test_it_is_done_once(beams: tuple[Any, Any]) -> None:
    memory.remember()
    specs, views = userstate.get_dofn_specs, vars(PipelineOptions)["view_as"]
    assert specs is not beams[0]
    memory.remember()
    assert (userstate.get_dofn_specs, vars(PipelineOptions)["view_as"]) == (specs, views)
