"""The user's own steps between Validate and Write, and the name of the pipeline they make."""

from __future__ import annotations

import re
from collections.abc import Sequence

import apache_beam as beam

from transforms.errors import ConfigError
from transforms.steps.fingerprint import fingerprint
from transforms.steps.pipeline_identity import PipelineIdentity
from transforms.steps.retry import Retry

Steps = tuple[beam.PTransform, ...]

OURS = ("Read", "Parse", "Validate", "Write", "CommitOffsets")
"""Labels of the steps that every ingest has."""

_A_PLACE = re.compile(r" at .+:\d+")
"""In a label that Beam makes of a function without a name: it changes with every edit."""


def identity_of(name: str, steps: Steps, *options: object) -> PipelineIdentity:
    """The pipeline called ``name`` (empty: as its table) that has ``steps``.

    A ``Retry`` says when a record is tried again and changes none: it is part of the version, as
    ``options`` are, but not one of the labels.

    Raises:
        ConfigError: A step is not a transform, or has no label that can name it.
    """
    labels = [_label(number, step) for number, step in enumerate(steps, 1)]
    named = [
        label for label, step in zip(labels, steps, strict=True) if not isinstance(step, Retry)
    ]
    return PipelineIdentity(name, tuple(named), fingerprint(steps, options))


def applied(batches: beam.PCollection, steps: Sequence[beam.PTransform]) -> beam.PCollection:
    """``batches`` after ``steps``, one after another; the steps themselves can be applied again.

    Raises:
        ConfigError: A step has other outputs than the one collection that the next takes.
    """
    for step in steps:
        _untie(step)
        made = batches | step
        if not isinstance(made, beam.PCollection):
            raise ConfigError(
                f"step {step.label!r} returns {type(made).__name__}; a step takes and returns one "
                "collection of RecordBatch"
            )
        batches = made
    return batches


def _untie(step: beam.PTransform) -> None:
    """Have ``step``, and the transforms in it, forget the pipeline that they were last used in.

    Beam would use them in no other one.
    """
    step.pipeline = None
    for value in vars(step).values():
        for each in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(each, beam.PTransform):
                _untie(each)


def _label(number: int, step: object) -> str:
    if not isinstance(step, beam.PTransform):
        raise ConfigError(
            f"step {number} is not a transform but {type(step).__name__}; "
            "write EachRecord(function, 'Label')"
        )
    label = str(step.label)
    if _A_PLACE.search(label):
        raise ConfigError(
            f"step {number} is called {label!r} after a line of the program, which changes; "
            "give it a label: 'Label' >> step"
        )
    if label.lower() in (ours.lower() for ours in OURS):
        raise ConfigError(
            f"step {number} is called {label!r}, as a step of every ingest; rename it"
        )
    return label
