"""What a check has to say about a sink, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field

NAMED = 20
"""Of findings of one kind, so many are said one by one."""


@dataclass(slots=True)
class Findings:
    """What is wrong: the first of each kind one by one, and how many there are.

    Attributes:
        numbers: How many findings there are, by kind.
        lines: The first ``NAMED`` of each kind.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, line: str) -> None:
        """One more finding of a kind; ``line`` names what it is about."""
        self.numbers[kind] = self.numbers.get(kind, 0) + 1
        lines = self.lines.setdefault(kind, [])
        if len(lines) < NAMED:
            lines.append(line)

    def texts(self) -> list[str]:
        """Every finding that is kept, as a sentence; what is left out is counted."""
        texts = []
        for kind, number in self.numbers.items():
            texts += [f"{line}: {kind}" for line in self.lines[kind]]
            if number > len(self.lines[kind]):
                texts.append(f"{number - len(self.lines[kind]):,} more: {kind}")
        return texts

    def __bool__(self) -> bool:
        return bool(self.numbers)
