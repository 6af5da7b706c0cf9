"""The datasets of objects that a pipeline writes, alone or beside tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from clients.s3 import S3Settings
from sinks.database.database import Database
from sinks.objects.config import ObjectConfig
from sinks.objects.encoding.columns import Columns, UnknownFields
from sinks.objects.planned import Dataset
from sinks.objects.prepare import prepare
from sinks.objects.publish import Publisher
from sinks.objects.stores import store_of
from sinks.table.config import SqlConfig
from sinks.tables import Tables, without_schema
from transforms.errors import ConfigError
from transforms.route.route import Route
from transforms.route.table_name import UNROUTED


@dataclass(frozen=True)
class Objects:
    """The datasets of a pipeline. Picklable, without secrets.

    Attributes:
        datasets: Each with a label of its own, by which records are sent to it.

    Raises:
        ConfigError: Two have one label or one folder, or the folders of one cannot be named.
    """

    datasets: tuple[Dataset, ...]

    def __post_init__(self) -> None:
        labels = [dataset.label for dataset in self.datasets]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ConfigError(
                f"dataset {twice[0]} is written to two places; name one of them otherwise"
            )
        _refuse_shared(self.datasets)
        for dataset in self.datasets:
            _ = dataset.partitioning  # or it says what is wrong

    @classmethod
    def of(
        cls,
        config: ObjectConfig,
        *,
        schema: str | None = None,
        unknown_fields: UnknownFields = "reject",
        elements: bool = False,
        label: str = "",
        columns: Columns | None = None,
    ) -> Objects:
        """One dataset.

        Args:
            config: Where it is, and in which format.
            schema: JSON Schema of its records as text; without it the objects have each record as a
                whole.
            unknown_fields: What to do with a field that the schema lacks.
            elements: Whether an offset may have several records.
            label: The label by which records are sent to it; by default that of the pipeline's own.
            columns: The columns of its objects, in place of those of ``schema``.

        Raises:
            ConfigError: The schema or the folders do not fit.
        """
        if columns is None:
            columns = Columns.of(schema, unknown_fields=unknown_fields, elements=elements)
        return cls((Dataset(config, columns, label or config.label),))

    @classmethod
    def of_routes(
        cls,
        routes: Iterable[Route],
        home: SqlConfig,
        *,
        own: ObjectConfig | None = None,
        settings: S3Settings | None = None,
        default_schema: str | None = None,
    ) -> Objects:
        """The datasets that routes send records to: a folder for each of their tables.

        Args:
            routes: Where records go. Those with a ``sink`` go to datasets there.
            home: The pipeline's own target, and the state.
            own: Where the others go; None for tables.
            settings: Where S3 is, for routes with a ``sink``.
            default_schema: The schema that labels leave out.

        Raises:
            ConfigError: A route has a key or changes rows, its names are not listed, or it cannot
                name a folder.
        """
        places: dict[ObjectConfig, list[Route]] = {}
        for route in routes:
            config = ObjectConfig.of(route.sink, settings=settings) if route.sink else own
            if config is not None:
                _check(route)
                places.setdefault(config, []).append(replace(route, sink=""))
        datasets = []
        for config, own_routes in places.items():
            tables = Tables.of(replace(home, table=UNROUTED, key=()), own_routes)
            for label, use in tables.known(default_schema).items():
                table = use.config
                columns = Columns.of(
                    table.schema,
                    unknown_fields=table.unknown_fields,
                    elements=table.elements or use.several,
                )
                datasets.append(Dataset(config.of_dataset(label), columns, label))
        return cls(tuple(datasets))

    def __add__(self, other: Objects) -> Objects:
        """The datasets of both.

        Raises:
            ConfigError: Two have one label.
        """
        return Objects((*self.datasets, *other.datasets))

    @property
    def by_label(self) -> dict[str, Dataset]:
        """Each dataset by its label."""
        return {dataset.label: dataset for dataset in self.datasets}

    def in_schema(self, schema: str | None) -> Objects:
        """The same where ``schema`` is the one that labels leave out, known once the state is asked.

        A dataset of a route is called as its folder, however the route has spelt the schema.

        Raises:
            ConfigError: Two have one label then.
        """
        start = f"{schema}."
        if not schema or not any(dataset.label.startswith(start) for dataset in self.datasets):
            return self
        return Objects(tuple(_without_schema(dataset, schema) for dataset in self.datasets))

    def publishers(self, database: Database) -> Iterator[Publisher]:
        """What publishes the manifest of each bucket or folder."""
        configs = {dataset.config.url: dataset.config for dataset in self.datasets}
        for url, config in sorted(configs.items()):
            yield Publisher(database, url, store_of(config))

    def check_labels(self, tables: Sequence[str]) -> None:
        """Refuse a dataset that has the name of a table of the same pipeline.

        Raises:
            ConfigError: One has.
        """
        both = sorted(self.by_label.keys() & {*tables})
        if both:
            raise ConfigError(f"{both[0]} is both a table and a dataset; name one otherwise")

    def prepare(self, database: Database) -> None:
        """Check each bucket or folder, and publish what an earlier run has left.

        Args:
            database: The state, whose tables are there.

        Raises:
            ConfigError: Nothing can be written there, or it belongs to another state.
            SinkUnavailable: The state or the store cannot be reached.
            Contention: The database kept asking for another try.
        """
        for publisher in self.publishers(database):
            prepare(database, publisher.url, publisher.store)
            publisher.publish()

    def publish(self, database: Database) -> None:
        """Publish everything that is settled.

        Raises:
            SinkUnavailable: The state or a store cannot be reached.
            Contention: Other writers kept publishing.
            SinkFailed: A store refuses, or a manifest is gone.
        """
        for publisher in self.publishers(database):
            publisher.publish()

    def publish_now_and_then(self, database: Database) -> None:
        """Publish at most once a second; what fails is done the next time."""
        for publisher in self.publishers(database):
            publisher.publish_now_and_then()


def _refuse_shared(datasets: Sequence[Dataset]) -> None:
    """Refuse two datasets in one folder: one object would take the name of another."""
    labels: dict[str, str] = {}
    for dataset in datasets:
        other = labels.setdefault(dataset.config.label, dataset.label)
        if other != dataset.label:
            raise ConfigError(
                f"{dataset.config.label} is the folder of two datasets, {other} and {dataset.label}; "
                "name one of the tables otherwise"
            )


def _without_schema(dataset: Dataset, schema: str) -> Dataset:
    label = without_schema(dataset.label, schema)
    if label == dataset.label or dataset.config.dataset != dataset.label:
        return dataset
    return replace(dataset, config=dataset.config.of_dataset(label), label=label)


def _check(route: Route) -> None:
    name = route.name or route.table
    if route.key or route.on_conflict != "ignore":
        raise ConfigError(
            f"route {name}: objects are only added to, never changed; leave out key and on_conflict"
        )
    if "${" in route.table and not route.tables:
        raise ConfigError(
            f"route {name}: list the datasets that {route.table} may become (tables: [...]); a "
            "pattern is for tables of a database"
        )
