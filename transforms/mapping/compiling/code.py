"""The source of one function, written line by line, with every value bound as a constant.

Nothing that a user writes becomes source: names and values of a mapping are bound to names such as
``k7``, and only those stand in the text.
"""

from __future__ import annotations

from typing import Any


class Code:
    """Lines of a function, and what its names stand for.

    Attributes:
        names: The globals of the function.
    """

    def __init__(self, head: str) -> None:
        self.names: dict[str, Any] = {}
        self._lines = [head]
        self._depth = 1
        self._count = 0

    def bind(self, value: Any) -> str:
        """A name that stands for ``value``."""
        self._count += 1
        name = f"k{self._count}"
        self.names[name] = value
        return name

    def fresh(self) -> str:
        """The name of a new variable."""
        self._count += 1
        return f"x{self._count}"

    def line(self, template: str, **values: Any) -> None:
        """Add a line: a fixed template, in which each ``{name}`` is a bound value."""
        bound = {name: self.bind(value) for name, value in values.items()}
        self.raw(template.format(**bound))

    def indent(self) -> None:
        """The next lines are inside the last one."""
        self._depth += 1

    def raw(self, text: str) -> None:
        """Add a line of fixed text and of bound names."""
        self._lines.append("    " * self._depth + text)

    def before(self, text: str) -> None:
        """Add such a line above the first loop."""
        self._lines.insert(1, "    " + text)

    def outside(self) -> None:
        """The next lines are in the outermost loop again."""
        self._depth = 2

    def dedent(self) -> None:
        """The next lines are outside again."""
        self._depth -= 1

    def function(self, name: str) -> Any:
        """The function called ``name`` that the lines define."""
        source = "\n".join(self._lines)
        exec(compile(source, "<mapping>", "exec"), self.names)  # noqa: S102 - fixed templates only
        return self.names[name]
