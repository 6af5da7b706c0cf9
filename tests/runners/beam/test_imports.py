"""Beam is imported without what no pipeline uses, and nothing of that is left behind."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners.beam import imports as beam_imports
from runners.beam.flags import HONOURED

PROGRAM = """
import logging, os, sys
from runners.beam.imports import LATER, UNUSED, import_beam
before = dict(os.environ)
import_beam([])
assert "apache_beam" in sys.modules
assert not [name for name in (*UNUSED, *LATER) if name in sys.modules], "imported, or still hidden"
assert dict(os.environ) == before
assert logging.root.manager.disable == 0
from apache_beam.typehints import typehints
assert typehints.is_consistent_with(bool, int) and not typehints.is_consistent_with(int, bool)
assert not typehints.is_consistent_with(int, 3), "hints that cannot be compared"
assert sys.modules["beartype.door"].is_subhint(bool, int)
from apache_beam.internal.http_client import get_new_http
assert "httplib2" not in sys.modules
assert type(get_new_http()) is sys.modules["httplib2"].Http
import pyarrow, pymongo
from numpy.typing import NDArray
import numpy
assert numpy.linalg.eigh([[2.0, 0.0], [0.0, 3.0]]).eigenvalues.tolist() == [2.0, 3.0]
from apache_beam.io.gcp import gcsfilesystem
from apache_beam import Create, Pipeline
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
with Pipeline(runner=FnApiRunner()) as pipeline:
    assert_that(pipeline | Create([1, 2]), equal_to([1, 2]))
"""


@pytest.mark.slow
def test_what_beam_was_imported_without_can_be_imported_later() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (["--profile_location=gs://bucket/profiles"], []),
        (["--parallelism", "2", "--setup_file", "s3://bucket/setup.py"], []),
        (["--experiments=x"], []),
        (["--parallelism", "2", "--flink-master=localhost:8081"], ["apache_beam"]),
        (["--environment_config", '{"command": "/worker.sh"}'], ["apache_beam"]),
    ],
)
def test_with_a_flag_that_may_need_more_beam_is_imported_whole(
    flags: list[str], parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "apache_beam", raising=False)
    imported: list[str] = []
    monkeypatch.setattr(beam_imports, "import_module", imported.append)
    beam_imports.import_beam(flags)
    assert imported == parts, "imported in parts, or left to the first import of it"


def test_the_plain_flags_are_flags_of_beam_on_flink() -> None:
    assert HONOURED["FlinkRunner"] >= beam_imports.PLAIN


def test_nothing_stays_hidden_if_beam_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        assert sys.modules["pymongo"] is None
        assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
        raise ImportError(name)

    monkeypatch.delitem(sys.modules, "apache_beam", raising=False)
    monkeypatch.delitem(sys.modules, "pymongo", raising=False)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setattr(beam_imports, "import_module", fail)
    with pytest.raises(ImportError):
        beam_imports.import_beam([])
    assert "pymongo" not in sys.modules
    assert "OPENBLAS_NUM_THREADS" not in os.environ
    assert logging.root.manager.disable == logging.NOTSET


def test_threads_that_the_user_chose_for_linear_algebra_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen: list[str] = []
    monkeypatch.delitem(sys.modules, "apache_beam", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.setattr(
        beam_imports,
        "import_module",
        lambda name: chosen.append(os.environ["OPENBLAS_NUM_THREADS"]),
    )
    beam_imports.import_beam([])
    assert chosen == ["3"]
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"
