"""Stacks of py-spy are summed by thread and function."""

from __future__ import annotations

from benchmarks.profiling.stacks import shown, summed

STACKS = """\
thread (7): MainThread;main (ingest.py:3);parse (json.py:10) 6
thread (7): MainThread;main (ingest.py:3);parse (json.py:12) 2
thread (9): write_0;commit (sql.py:5);main (ingest.py:9);commit (sql.py:7) 1
thread (10): write_1;commit (sql.py:5) 1
thread (7): MainThread;main (ingest.py:3);_load (<frozen importlib._bootstrap>:1);parse (json.py:1) 50
thread (7): MainThread;broken
stack 5
process 12:"python" 5
"""


def test_samples_are_counted_by_thread_and_function_without_lines_and_imports() -> None:
    profile = summed(STACKS.splitlines(keepends=True))
    assert profile.samples == 10
    assert profile.threads == {"MainThread": 8, "write": 2}
    assert profile.alone == {"parse (json.py)": 8, "commit (sql.py)": 2}
    assert profile.within == {"main (ingest.py)": 9, "parse (json.py)": 8, "commit (sql.py)": 2}


def test_the_largest_are_shown_first() -> None:
    text = shown(summed(STACKS.splitlines()), most=1)
    assert text.splitlines() == [
        "10 samples",
        "",
        " share thread",
        " 80.0% MainThread",
        "",
        " share alone",
        " 80.0% parse (json.py)",
        "",
        " share within",
        " 90.0% main (ingest.py)",
    ]


def test_nothing_sampled_is_shown() -> None:
    assert shown(summed([]), most=3).startswith("0 samples")
