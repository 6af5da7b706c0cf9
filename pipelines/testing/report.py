"""Run files of cases, and say which of them fail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines import command
from pipelines.terminal import safe
from pipelines.testing.case_file import Case, suite_of
from pipelines.testing.verdict import differences


@dataclass(frozen=True, slots=True)
class Result:
    """How one case came out; it has passed if there are no differences."""

    file: str
    case: Case
    differences: Sequence[str]

    @property
    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "file": self.file,
            "case": self.case.name,
            "place": self.case.place,
            "passed": not self.differences,
            "differences": list(self.differences),
        }


def failed(files: Sequence[str], *, as_json: bool) -> bool:
    """Print how the cases of ``files`` came out; returns whether any failed.

    Raises:
        ConfigError: A file, or what it names, cannot be used; nothing has run.
        SluiceError: Standard output cannot be written.
    """
    suites = [(file, suite_of(file)) for file in files]  # all are read before one is run
    results = [
        Result(file, case, differences(case, outcome))
        for file, suite in suites
        for case, outcome in zip(
            suite.cases,
            suite.trial.outcomes([case.sample for case in suite.cases]),
            strict=True,
        )
    ]
    if as_json:
        print(json.dumps([result.as_json for result in results], ensure_ascii=False, indent=2))
    else:
        for file in dict.fromkeys(files):
            for line in _lines(file, [result for result in results if result.file == file]):
                print(safe(line))
    command.check_printed()
    return any(result.differences for result in results)


def _lines(file: str, results: Sequence[Result]) -> Iterator[str]:
    failures = [result for result in results if result.differences]
    for result in failures:
        yield f"FAILED {result.case.place}: {result.case.name}"
        yield from (f"    {line}" for line in result.differences)
    passed = len(results) - len(failures)
    yield f"{file}: {passed:,} passed" + (f", {len(failures):,} failed" if failures else "")
