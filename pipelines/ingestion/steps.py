"""The user's own steps between Validate and Write, and the identity of the pipeline they form."""

from __future__ import annotations

import re
from collections.abc import Sequence

import apache_beam as beam

from transforms.batch.expansion import ROUTES
from transforms.errors import ConfigError
from transforms.steps.each_record import EachRecord
from transforms.steps.fingerprint import fingerprint
from transforms.steps.pipeline_identity import PipelineIdentity
from transforms.steps.retry import Retry
from transforms.steps.service import Waits

Steps = tuple[beam.PTransform, ...]

BUILT_IN = ("Read", "Parse", "Map", "Validate", "Route", "Write", "CommitOffsets")
"""Labels of the steps that every ingest has itself."""

_SOURCE_LINE = re.compile(r" at .+:\d+")
"""Part of a label that Beam derives from a function without a name; it changes with every edit."""


def identity_of(
    name: str, steps: Steps, *options: object, mapping: object | None = None
) -> PipelineIdentity:
    """The identity of the pipeline called ``name`` (empty: its table's name) that has ``steps``.

    A ``Retry`` only says when to try a record again and never changes one. So it is part of the
    version, as ``options`` and ``mapping`` are, but it is not one of the labels.

    Args:
        name: The pipeline's name.
        steps: The user's own steps.
        options: What else shapes a row.
        mapping: What says how records are mapped before the steps, as plain values; None for no
            mapping.

    Raises:
        ConfigError: A step is not a transform, or has no label that can name it.
    """
    labels = [_label(number, step) for number, step in enumerate(steps, 1)]
    changing = [
        label for label, step in zip(labels, steps, strict=True) if not isinstance(step, Retry)
    ]
    version = fingerprint(steps, options, mapping)
    return PipelineIdentity(name, tuple(changing), version, mapping is not None)


def applied(
    batches: beam.PCollection, steps: Sequence[beam.PTransform], waits: Waits | None = None
) -> beam.PCollection:
    """Apply ``steps`` to ``batches``, one after another. The steps can be used again afterwards.

    Args:
        batches: What the first step takes.
        steps: The steps.
        waits: How long they wait for their services; None for the usual time.

    Raises:
        ConfigError: A step returns something other than the one collection that the next takes.
    """
    for step in steps:
        _prepare(step, waits or Waits())
        output = batches | step
        if not isinstance(output, beam.PCollection):
            raise ConfigError(
                f"step {step.label!r} returns {type(output).__name__}; a step takes and returns one "
                "collection of RecordBatch"
            )
        batches = output
    return batches


def _prepare(step: beam.PTransform, waits: Waits) -> None:
    """Tell ``step``, and the transforms inside it, how long to wait for their services.

    They also forget the pipeline that used them last: otherwise Beam refuses to use them in another.
    """
    step.pipeline = None
    if isinstance(step, EachRecord):
        step.waiting(waits)
    for value in vars(step).values():
        for part in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(part, beam.PTransform):
                _prepare(part, waits)


def _label(number: int, step: object) -> str:
    if not isinstance(step, beam.PTransform):
        raise ConfigError(
            f"step {number} is not a transform but {type(step).__name__}; "
            "write EachRecord(function, 'Label')"
        )
    label = str(step.label)
    if _SOURCE_LINE.search(label):
        raise ConfigError(
            f"step {number} is called {label!r}, after a line of the program, which changes; "
            "give it a label: 'Label' >> step"
        )
    if label.lower() in (name.lower() for name in BUILT_IN):
        raise ConfigError(f"step {number} has the name of a built-in step, {label!r}; rename it")
    if label.lower().startswith(ROUTES.lower()):
        raise ConfigError(f"step {number} has a name that only routes have, {label!r}; rename it")
    return label
