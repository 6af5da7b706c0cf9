"""From a pipeline file to the options of an ingest, and to its configuration."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipelines.pipeline_file.definition import RUNNER_OPTIONS, defaults, options
from pipelines.pipeline_file.places import Places
from pipelines.pipeline_file.reading.layers import merged, near
from pipelines.pipeline_file.reading.paths import rebased
from pipelines.pipeline_file.reading.references import resolved
from pipelines.pipeline_file.reading.source_list import sources_in
from pipelines.pipeline_file.reading.step_list import reference_of
from pipelines.pipeline_file.reading.values import scalar, value_of
from pipelines.pipeline_file.version import version_of
from transforms.errors import ConfigError
from transforms.mapping.reading.document import Part

if TYPE_CHECKING:
    from pipelines.ingestion.config import IngestConfig, RunConfig

Report = Callable[[ConfigError], None]


@dataclass(frozen=True, slots=True)
class PipelineFile:
    """A pipeline file that has been read.

    Attributes:
        path: The file, as the user names it.
        flags: The options, as the parser of ``ingest`` has them; ``map``, ``schema`` and ``routes`` may
            be parts of the document, ``alone`` has the options of single sources, and ``file`` says
            which version this is.
        runner_flags: The options that are Beam's, as flags.
        places: Where everything stands.
        problems: What is wrong in the file itself; each begins with its place.
        failed: The options that could not be read, which ``flags`` has with their defaults.
    """

    path: str
    flags: argparse.Namespace
    runner_flags: tuple[str, ...]
    places: Places
    problems: tuple[ConfigError, ...]
    failed: frozenset[str]

    def configs(self) -> tuple[IngestConfig, RunConfig]:
        """The configuration of the pipeline and of its run. Imports Beam; contacts nothing.

        Raises:
            ConfigError: The first thing that is wrong, with its place.
        """
        if self.problems:
            raise self.problems[0]
        from pipelines.ingestion import options as ingestion

        try:
            return ingestion.configured(self.flags, self.runner_flags)
        except ConfigError as error:
            raise self.places.placed(error) from error


def load(
    path: str,
    environment: str | None = None,
    settings: Sequence[str] = (),
    process: Mapping[str, Any] | None = None,
) -> PipelineFile:
    """Read a pipeline file.

    Args:
        path: The file, YAML or JSON.
        environment: The environment whose file is laid over it (``layers.merged``).
        settings: ``KEY=VALUE`` each, laid over both.
        process: Options of the process, which win over all of them.

    Returns:
        The options, and all that is wrong in the documents themselves.

    Raises:
        ConfigError: A document cannot be read at all.
    """
    problems: list[ConfigError] = []
    document = merged(path, environment, settings)
    whole = resolved(document, problems.append)
    whole = rebased(whole, os.path.dirname(path))
    flags = defaults()
    failed = set()
    for name, part in whole.value.items():
        if name == RUNNER_OPTIONS:
            continue
        if name not in options():
            problems.append(whole.refused(f"there is no option {name}{near(name)}", at=name))
            continue
        count = len(problems)
        _set(flags, name, part, problems.append)
        if len(problems) > count:
            failed.add(name)
    places = replace(_places(path, whole, flags, problems), process=frozenset(process or ()))
    beam = _runner_flags(whole.value.get(RUNNER_OPTIONS), problems.append)
    vars(flags).update(process or {})
    flags.file = version_of(path, environment, document).as_options()
    return PipelineFile(path, flags, tuple(beam), places, tuple(problems), frozenset(failed))


def _set(flags: argparse.Namespace, name: str, part: Part, report: Report) -> None:
    """Set one option; those that sources and steps have are set by ``_places``."""
    if name in ("source", "step") and part.value is not None:
        return
    try:
        setattr(flags, name, _value(name, part))
    except ConfigError as error:
        report(error)


def _value(name: str, part: Part) -> Any:
    inline = {"map": list, "routes": dict, "schema": dict}.get(name)
    if inline is not None and isinstance(part.value, list | dict):
        if isinstance(part.value, inline):
            return part
        what = "a list of operations" if inline is list else "a mapping"
        raise part.refused(f"{name} is the path of a file, or {what}, got {part.kind}")
    return value_of(options()[name], part)


def _places(
    path: str, whole: Part, flags: argparse.Namespace, problems: list[ConfigError]
) -> Places:
    """Where everything stands; sets the sources and the steps."""
    sources: Mapping[str, Mapping[str, str]] = {}
    steps: dict[str, str] = {}
    part = whole.value.get("source")
    if part is not None and part.value is not None:
        entries = sources_in(part, flags.kafka_config, problems.append)
        flags.source, sources = entries.uris, entries.places
        if entries.alone:
            flags.alone = entries.alone
    part = whole.value.get("step")
    if part is not None and part.value is not None:
        for entry in part.value if isinstance(part.value, list) else [part]:
            try:
                steps[reference_of(entry)] = entry.place
                flags.step = [*flags.step, reference_of(entry)]
            except ConfigError as error:
                problems.append(error)
    runner = whole.value.get(RUNNER_OPTIONS)
    return Places(
        start=f"{path}:1:1",
        options=dict(whole.keys),
        runner={}
        if runner is None
        else {key.replace("-", "_"): at for key, at in runner.keys.items()},
        sources=sources,
        steps=steps,
    )


def _runner_flags(part: Part | None, report: Report) -> list[str]:
    """Beam's own options as flags: a switch that is true has no value, and a list is repeated."""
    flags: list[str] = []
    if part is None or (part.value is None and part.text):
        return flags
    if not isinstance(part.value, dict):
        report(
            part.refused(
                f"{RUNNER_OPTIONS} is a mapping of Beam's options, e.g. {{parallelism: 4}}, got {part.kind}"
            )
        )
        return flags
    for key, value in part.value.items():
        name = key.replace("-", "_")
        for inner in value.value if isinstance(value.value, list) else [value]:
            if inner.value is True:
                flags.append(f"--{name}")
            elif inner.value is not False:
                try:
                    flags.append(f"--{name}={scalar(f'{RUNNER_OPTIONS}.{name}', inner)}")
                except ConfigError as error:
                    report(error)
    return flags
