"""What the user says about JSON files; the rest is detected (``sources.files.json.layout``)."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.errors import ConfigError

AUTO = "auto"
LAYOUTS = (AUTO, "lines", "array", "sequence")

LONGEST_PATH = 200
"""Characters of a path: it becomes part of a partition's name."""


@dataclass(frozen=True, slots=True)
class JsonOptions:
    """How JSON is laid out.

    Attributes:
        layout: ``lines``, ``array`` (the elements of an array), ``sequence`` (values one after
            another), or ``auto`` to detect it.
        path: The names that lead to the array through the objects around it; empty if nothing is
            around it.
    """

    layout: str = AUTO
    path: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ConfigError(f"unknown --json_layout {self.layout!r}; use {', '.join(LAYOUTS)}")
        if self.path and self.layout not in (AUTO, "array"):
            raise ConfigError(
                f"--json_path leads to an array, so it does not go with --json_layout {self.layout}"
            )
        dotted = ".".join(self.path)
        if not all(self.path) or not dotted.isprintable():
            raise ConfigError(f"--json_path {dotted!r} has an empty or unprintable name")
        if len(dotted) > LONGEST_PATH:
            raise ConfigError(f"--json_path has {len(dotted)} characters, limit {LONGEST_PATH}")

    @classmethod
    def of(cls, *, layout: str = AUTO, path: str = "") -> JsonOptions:
        """The options as a user writes them: dots between the names of a path.

        Raises:
            ConfigError: One of them is wrong; the message says which.

        >>> JsonOptions.of(path="data.items").path
        ('data', 'items')
        """
        return cls(layout, tuple(path.split(".")) if path else ())
