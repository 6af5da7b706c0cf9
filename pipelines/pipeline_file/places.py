"""Where the options of a pipeline file stand, for errors that name options as flags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.pipeline_file.definition import RUNNER_OPTIONS, options
from pipelines.pipeline_file.reading.layers import SETTING
from transforms.errors import ConfigError

_PLACED = re.compile(r"[^\s:][^:]*:\d+:\d+: |" + SETTING)
_FLAG = re.compile(r"--([a-z][a-z0-9_]*)")
_NEAR, _NEAR_FLAG = "did you mean ", "did you mean --"
_LISTED = " (--help lists every option)"


@dataclass(frozen=True, slots=True)
class Places:
    """Where things stand.

    Attributes:
        start: The beginning of the file, for what is missing.
        options: Each option of the file.
        runner: Each of Beam's options.
        sources: By URI, the options of one source; ``source`` is the source itself.
        steps: The step of each reference.
        process: The options that a flag of the process has set; they are not of the file.
    """

    start: str
    options: Mapping[str, str] = field(default_factory=dict)
    runner: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    steps: Mapping[str, str] = field(default_factory=dict)
    process: frozenset[str] = frozenset()

    def placed(self, error: ConfigError, own: Mapping[str, str] | None = None) -> ConfigError:
        """The error with the place of the option that it is about, which is called as in a file.

        That is the first option of its text that the file sets. An error that has a place keeps it, and
        one of a flag stays as it is.

        Args:
            error: It names options as flags.
            own: The places of one source or step, which are looked at first.
        """
        text = str(error)
        if _PLACED.match(text):
            return error
        places = {**self.runner, **self.options, **(own or {})}
        outside = " ".join(text.split("`")[::2])
        named = [name for name in _FLAG.findall(outside) if name in places or name in self.process]
        if named and named[0] in self.process:
            return error
        place = places[named[0]] if named else (own or {}).get("", self.start)
        text = text.replace(
            _LISTED, "; write it into the file" if text.startswith("missing") else ""
        )
        return ConfigError(f"{place}: {self._in_words(text.replace(_NEAR_FLAG, _NEAR))}")

    def _in_words(self, text: str) -> str:
        """The names of options as files have them; what stands in backticks is a command."""
        parts = text.split("`")
        parts[::2] = [_FLAG.sub(self._name, part) for part in parts[::2]]
        return "`".join(parts)

    def _name(self, match: re.Match[str]) -> str:
        name = match[1]
        if name in self.runner:
            return f"{RUNNER_OPTIONS}.{name}"
        return name if name in options() else match[0]


def names_in(error: ConfigError) -> frozenset[str]:
    """The options that the text of an error names as flags."""
    return frozenset(_FLAG.findall(str(error)))


def first_in_order(error: ConfigError) -> tuple[str, int, int]:
    """What errors are sorted by: file, line and column."""
    match = re.match(r"(.*?):(\d+):(\d+): ", str(error))
    return ("", 0, 0) if match is None else (match[1], int(match[2]), int(match[3]))
