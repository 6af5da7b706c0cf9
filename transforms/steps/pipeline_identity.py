"""The identity of a pipeline: a retry must take the steps that its record took before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from transforms.errors import ConfigError

LIMIT = 255
"""The most characters of a name or a label."""


@dataclass(frozen=True, slots=True)
class PipelineIdentity:
    """The name of a pipeline and the labels of its user steps, which own its jobs.

    Programs of equal identity take each other's jobs, even if the steps have changed since. A
    program with a mapping also takes the jobs of one that has none and is otherwise the same, since
    that is how a mapping that is added heals them. The other way round, what the mapping hides
    would be written in clear text.

    Attributes:
        name: The name of the pipeline; empty for the label of its target table.
        steps: The labels of the user steps, in order.
        version: A hash of steps, mapping and options. Jobs and runs record it; nothing compares it.
        mapped: Whether records go through a mapping before the steps.

    Raises:
        ConfigError: The name or a label cannot be used, or two labels are equal.
    """

    name: str = ""
    steps: tuple[str, ...] = ()
    version: str = field(default="", compare=False)
    mapped: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        if self.name:
            _check("the name of a pipeline", self.name)
        for label in self.steps:
            _check("the label of a step", label)
            if "," in label or label != label.strip():
                raise ConfigError(
                    f"the label of a step must not contain a comma, nor begin or end with a space: "
                    f"{label!r}"
                )
        twice = [label for label, count in Counter(self.steps).items() if count > 1]
        if twice:
            raise ConfigError(f"two steps have the label {twice[0]!r}; give each its own")

    def named(self, label: str) -> PipelineIdentity:
        """The same identity, named ``label`` (that of the table) if it has no name."""
        return self if self.name else replace(self, name=label)

    def __str__(self) -> str:
        return f"{self.name} [{', '.join(self.steps)}]{' with a mapping' * self.mapped}"


def labels_of(text: str) -> tuple[str, ...]:
    """The labels in ``A,B``; an empty text has none.

    >>> labels_of("Hide, Cents")
    ('Hide', 'Cents')
    """
    return tuple(part.strip() for part in text.split(",")) if text.strip() else ()


def _check(what: str, text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ConfigError(f"{what} must be a text that is not empty, got {text!r}")
    if len(text) > LIMIT or not text.isprintable():
        raise ConfigError(f"{what} must be at most {LIMIT} printable characters, got {text[:80]!r}")
