"""All that is wrong with a pipeline file, found without contacting any service."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clients.kafka import config as kafka_config
from pipelines.flags import is_of_objects, set_outage_budget
from pipelines.ingestion.configuring import destination
from pipelines.ingestion.configuring.documents import mapping_of, schema_of
from pipelines.ingestion.configuring.registry_flags import names_subject, with_registry
from pipelines.ingestion.configuring.routing import routes_of
from pipelines.ingestion.configuring.sources import sources_of
from pipelines.ingestion.flags import parser
from pipelines.ingestion.step_references import steps_of
from pipelines.pipeline_file.definition import RUNNER_OPTIONS, defaults
from pipelines.pipeline_file.loading import PipelineFile, load
from pipelines.pipeline_file.places import first_in_order, names_in
from pipelines.running.beam_options import refuse_unknown, runner_of
from runners.beam.flags import refuse_ignored
from runners.runner import Runner, RunnerUnavailable
from sinks.database.database import Database
from sinks.database.engine import engine_of
from sinks.dead_letters.by_uri import dead_letter_sink_for
from sinks.jobs.retention import Retention
from sinks.table.config import OnConflict
from transforms.errors import ConfigError
from transforms.mapping.mapping import Mapping as RecordMapping
from transforms.mapping.reading import document
from transforms.mapping.reading.document import Part
from transforms.parse.epochs import epoch_columns
from transforms.parse.parse import ParseConfig
from transforms.route.routes import Routes
from transforms.secrets import REFERENCE
from transforms.settle.dead_budget import DeadBudget


def errors_of(
    path: str, environment: str | None = None, settings: Sequence[str] = ()
) -> list[ConfigError]:
    """Everything that is wrong with a file, in the order of its lines.

    Args:
        path: The file.
        environment: As ``load``.
        settings: As ``load``.

    Returns:
        One error each, whose text is one line: place, what is wrong, and what to do.
    """
    try:
        file = load(path, environment, settings)
    except ConfigError as error:
        return [error]
    return errors_in(file)


def errors_in(file: PipelineFile) -> list[ConfigError]:
    """Everything that is wrong with a file that has been read, as ``errors_of``."""
    errors = [*file.problems, *_Checks(file).errors()]
    if not errors:
        try:
            file.configs()
        except ConfigError as error:
            errors.append(error)
    texts = {str(error): error for error in errors}
    return sorted(texts.values(), key=first_in_order)


class _Checks:
    """Looks at one part of a file after another, so that a mistake in one hides none of another."""

    def __init__(self, file: PipelineFile) -> None:
        self._file = file
        self._flags = argparse.Namespace(**vars(file.flags))

    def errors(self) -> Iterator[ConfigError]:
        try:
            runner = runner_of(self._flags.runner)
        except ConfigError as error:
            yield self._at("runner", error)
            return
        set_outage_budget(self._flags, runner)
        yield from self._tried(RUNNER_OPTIONS, lambda: self._refuse_runner_options(runner))
        for fault in destination.faults(self._flags, defaults()):
            if not names_in(fault) & self._file.failed:
                yield self._file.places.placed(fault)
        if not names_subject(self._flags.schema):  # a registry is asked when the pipeline runs
            yield from self._tried("schema", lambda: schema_of(self._flags.schema))
        for name, check in self._values():
            yield from self._tried(name, check)
        yield from self._databases()
        yield from self._mapping(runner)
        yield from self._routes(runner)
        yield from self._steps(runner)
        yield from self._sources(runner)

    def _refuse_runner_options(self, runner: Runner) -> None:
        refuse_unknown(self._file.runner_flags, parser())
        try:
            refuse_ignored(runner.name, self._file.runner_flags)
        except RunnerUnavailable as error:
            raise ConfigError(str(error)) from error

    def _tried(self, name: str, check: Callable[[], object]) -> Iterator[ConfigError]:
        try:
            check()
        except ConfigError as error:
            yield self._at(name, error)

    def _at(self, name: str, error: ConfigError) -> ConfigError:
        """The error with the place of the option that it names, otherwise of ``name``."""
        place = self._file.places.options.get(name)
        return self._file.places.placed(error, None if place is None else {"": place})

    def _values(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """Checks of options whose values only their users know."""
        flags = self._flags
        if flags.retain:
            yield "retain", lambda: Retention.parse(flags.retain)
        if flags.max_dead:
            yield "max_dead", lambda: DeadBudget.parse(flags.max_dead)
        yield "on_conflict", lambda: OnConflict.parse(flags.on_conflict)
        yield "kafka_config", lambda: kafka_config.parse(flags.kafka_config)
        yield "schema_registry", lambda: with_registry(ParseConfig(), flags)
        yield "epoch", lambda: epoch_columns(flags.epoch, None)
        if flags.dead_letters is not None:
            yield "dead_letters", lambda: dead_letter_sink_for(flags.dead_letters)

    def _databases(self) -> Iterator[ConfigError]:
        """URLs that cannot be read, and databases or drivers that are not known; none is connected to."""
        for name in ("sink", "state"):
            url = getattr(self._flags, name)
            if url and not is_of_objects(url):
                url = REFERENCE.sub("1", url)
                yield from self._tried(name, lambda url=url: engine_of(Database(url)))  # type: ignore[misc]

    def _mapping(self, runner: Runner) -> Iterator[ConfigError]:
        value = self._flags.map
        if not value:
            return
        try:
            mapping_of(value, remote=runner.remote)
        except ConfigError as error:
            every = list(self._operations(value))
            yield from every or [self._at("map", error)]

    def _operations(self, value: str | Part) -> Iterator[ConfigError]:
        """What is wrong with each operation of a mapping."""
        for part in _elements(value, ""):
            yield from self._tried("map", lambda part=part: RecordMapping.from_part(_listed(part)))  # type: ignore[misc]

    def _routes(self, runner: Runner) -> Iterator[ConfigError]:
        value = self._flags.routes
        if not value:
            return
        try:
            routes = routes_of(value, None)
            if not runner.remote:
                routes.check_secrets()
        except ConfigError as error:
            every = [
                each
                for part in _elements(value, "routes")
                for each in self._tried("routes", lambda part=part: _route(part, value))  # type: ignore[misc]
            ]
            yield from every or [self._at("routes", error)]

    def _steps(self, runner: Runner) -> Iterator[ConfigError]:
        for reference, place in self._file.places.steps.items():
            try:
                steps_of([reference], remote=runner.remote)
            except ConfigError as error:
                yield self._file.places.placed(error, {"step": place, "": place})

    def _sources(self, runner: Runner) -> Iterator[ConfigError]:
        for uri, places in self._file.places.sources.items():
            alone = argparse.Namespace(**{**vars(self._flags), "source": [uri], "kafka_config": []})
            try:
                sources_of(alone, None, parallel=runner.parallel)
            except ConfigError as error:
                yield self._file.places.placed(error, {**places, "": places["source"]})


def _elements(value: str | Part, key: str) -> Sequence[Part]:
    """The elements of a list in a document, or in its key; none if it cannot be read so far."""
    try:
        part: Any = document.load(value) if isinstance(value, str) else value
    except ConfigError:
        return ()
    if key:
        part = part.value.get(key) if isinstance(part.value, Mapping) else None
    elements = getattr(part, "value", None)
    return elements if isinstance(elements, list) else ()


def _listed(part: Part) -> Part:
    return Part([part], "", part.place)


def _route(part: Part, value: str | Part) -> None:
    folder = Path(value).parent if isinstance(value, str) else Path()
    Routes.from_part(
        Part({"routes": _listed(part)}, "", part.place, {"routes": part.place}), folder
    )
