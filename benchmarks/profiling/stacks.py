"""Sum the stacks that py-spy has sampled (its format ``raw``: a stack and how often it was seen)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

_PLACE = re.compile(r":\d+\)$")
_THREAD = re.compile(r"thread \(\d+\)(?:: (?P<name>.*?)(?:_\d+)?)?$")
IMPORTS = "importlib._bootstrap"
"""What is in the stack while modules are imported: the start of a run, not the way of a record."""


@dataclass(slots=True)
class Profile:
    """How many samples there were.

    Attributes:
        threads: By the name of the thread.
        alone: By the function that ran.
        within: By each function that ran or had called the one that ran.
    """

    threads: Counter[str] = field(default_factory=Counter)
    alone: Counter[str] = field(default_factory=Counter)
    within: Counter[str] = field(default_factory=Counter)

    @property
    def samples(self) -> int:
        """All samples."""
        return self.threads.total()


def summed(lines: Iterable[str]) -> Profile:
    """The profile of ``lines``, without imports.

    A line that is no stack with a number is left out: names of functions of a broken stack may have line feeds.
    """
    profile = Profile()
    for line in lines:
        stack, _, number = line.rstrip("\n").rpartition(" ")
        if not number.isdigit() or IMPORTS in stack:
            continue
        thread, *calls = stack.split(";")
        match = _THREAD.match(thread)
        if match is None or not calls:
            continue
        functions = [_PLACE.sub(")", call) for call in calls]
        profile.threads[match["name"] or "without a name"] += int(number)
        profile.alone[functions[-1]] += int(number)
        for function in set(functions):
            profile.within[function] += int(number)
    return profile


def shown(profile: Profile, most: int) -> str:
    """The profile as text: threads, then the ``most`` functions by their own samples and by all."""
    parts = [("thread", profile.threads), ("alone", profile.alone), ("within", profile.within)]
    lines = [f"{profile.samples:,} samples"]
    for title, counts in parts:
        lines += ["", f"{'share':>6} {title}"]
        for name, number in counts.most_common(most):
            lines.append(f"{number / max(profile.samples, 1):6.1%} {name}")
    return "\n".join(lines)
