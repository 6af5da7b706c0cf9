from __future__ import annotations

import pickle

import pytest

from sinks.objects.config import ObjectConfig
from sinks.objects.encoding.columns import Columns
from sinks.objects.planned import Dataset
from transforms.errors import ConfigError


def dataset(query: str) -> Dataset:
    config = ObjectConfig.of(f"s3://lake{query}", "orders")
    return Dataset(config, Columns.of(None), "orders")


def test_the_extension_says_the_format() -> None:
    assert dataset("").extension == ".parquet"
    assert dataset("?format=jsonl.gz").extension == ".jsonl.gz"


def test_a_dataset_travels() -> None:
    before = dataset("?partition=day,type")
    assert before.partitioning.levels
    after = pickle.loads(pickle.dumps(before))
    assert (after, after.partitioning) == (before, before.partitioning)


def test_folders_that_cannot_be_named_are_refused() -> None:
    with pytest.raises(ConfigError, match="partition="):
        _ = dataset("?partition=day:").partitioning
