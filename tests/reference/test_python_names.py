"""docs/python.md has the names of docs/api.md, and of each class the methods that this page uses."""

from __future__ import annotations

import re

from sinks.sql import SqlSink
from tests.reference.python_names import members_of, page
from tests.test_api import documented
from transforms.batch.record import Record
from transforms.mapping.mapping import Mapping


def test_every_name_of_the_api_is_there_once() -> None:
    listed = re.findall(r"^::: ([\w.]+)\.(\w+)$", page(), re.MULTILINE)
    assert sorted(listed) == sorted((module, name) for name, module in documented().items())


def test_methods_are_those_that_programs_call() -> None:
    assert members_of(Record) == ["with_value"]
    assert {"load", "of"} <= set(members_of(Mapping))
    assert "prepare" in members_of(SqlSink)
    assert members_of(members_of) == []
