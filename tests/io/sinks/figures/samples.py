"""What was read, by name and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.figures.sample import Sample
from tests.io.sinks.tested_database import Database

Values = dict[str, dict[tuple[str, ...], float]]


def by_labels(samples: Iterable[Sample]) -> Values:
    """The values of each name, by the values of its labels in their order."""
    values: Values = {}
    for sample in samples:
        key = tuple(sample.labels.values())
        assert key not in values.setdefault(sample.name, {}), "no series twice"
        values[sample.name][key] = sample.value
    return values


def read(database: Database, reading: Callable[[sa.Connection], Iterator[Sample]]) -> Values:
    with transaction(database.database, "test", write=False) as connection:
        return by_labels(reading(connection))
