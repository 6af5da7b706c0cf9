"""What Beam works out again and again while a pipeline starts is worked out once.

A start of a small pipeline asks sixty times which states and timers a DoFn has, and reads the signatures of
all its methods each time. It asks ninety times for one of thirteen views of the options, and builds an
argparse parser and parses the command line each time. Both together were half of what a start costs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any
from weakref import WeakKeyDictionary

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import userstate

from runners.beam.private import expect

_Specs = tuple[set[Any], set[Any]]
_GetSpecs = Callable[[Any], _Specs]
_ViewAs = Callable[[PipelineOptions, type[PipelineOptions]], PipelineOptions]


def remember() -> None:
    """Have Beam remember the states and timers of each class of DoFns, and the views of options.

    Raises:
        UnexpectedBeam: Beam finds them in another way than this was written for.
    """
    _remember_specs()
    _remember_views()


def _remember_specs() -> None:
    ask = userstate.get_dofn_specs
    if isinstance(ask, _Specified):
        return
    source = inspect.getsource(ask)
    expect(
        list(inspect.signature(ask).parameters) == ["dofn"]
        and "for method_name in dir(dofn):" in source
        and "isinstance(getattr(dofn, method_name, None), types.MethodType)" in source,
        "userstate.get_dofn_specs finds states and timers in another way",
    )
    userstate.get_dofn_specs = _Specified(ask)


class _Specified:
    """Beam's ``get_dofn_specs``, which asks once for each class.

    Beam looks at the methods of a DoFn, which are those of its class unless it has methods of its own.
    """

    def __init__(self, ask: _GetSpecs) -> None:
        self._ask = ask
        self._by_class: WeakKeyDictionary[type, _Specs] = WeakKeyDictionary()

    def __call__(self, dofn: Any) -> _Specs:
        if any(isinstance(value, MethodType) for value in vars(dofn).values()):
            return self._ask(dofn)
        specs = self._by_class.get(type(dofn))
        if specs is None:
            specs = self._by_class[type(dofn)] = self._ask(dofn)
        states, timers = specs
        return set(states), set(timers)


def _remember_views() -> None:
    view_as = PipelineOptions.view_as
    if isinstance(view_as, _Viewed):
        return
    source = inspect.getsource(view_as)
    expect(
        list(inspect.signature(view_as).parameters) == ["self", "cls"]
        and "view = cls(self._flags)" in source
        and "view._all_options = self._all_options" in source,
        "PipelineOptions.view_as makes views in another way",
    )
    PipelineOptions.view_as = _Viewed(view_as)


class _Viewed:
    """Beam's ``view_as``, which makes each view of an object once.

    A view has no values of its own: it reads and writes those of the object that it is a view of.
    """

    def __init__(self, view_as: _ViewAs) -> None:
        self._view_as = view_as
        self._views: WeakKeyDictionary[PipelineOptions, dict[type, PipelineOptions]] = (
            WeakKeyDictionary()
        )

    def __get__(self, options: PipelineOptions | None, _: type) -> Any:
        return self if options is None else partial(self._view, options)

    def _view(self, options: PipelineOptions, cls: type[PipelineOptions]) -> PipelineOptions:
        views = self._views.setdefault(options, {})
        view = views.get(cls)
        # Other values may have been put into the place of those that the view shares.
        if view is None or vars(view)["_all_options"] is not vars(options)["_all_options"]:
            view = views[cls] = self._view_as(options, cls)
        return view
