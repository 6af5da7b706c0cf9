"""docs/exit-codes.md: what each exit code of each command means."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from pipelines import command
from sluice.table import COMMANDS
from tests.reference.page import COMMAND, DOCS, table

PAGE = DOCS / "exit-codes.md"

_HEAD = f"""# Exit codes

`{COMMAND}` writes this page from the code, and a test compares the two. `sluice NAME --help` shows the same.

A command prints its results on standard output. If something is wrong, one line on stderr says what, where, and what to do;
`--verbose` adds the stack. For a scheduler, three rules are enough:

- **0** is success.
- **1** may go away by itself: a database was away, or a signal came. Run the command again. What is settled is not read again.
- **Any other code** needs somebody to look, except 5, which ends when the operator [resumes](control.md) the pipeline.

A process that a signal kills has no code of its own: shells show 137 after `kill -9`.

## Of every command
"""

_OWN = """## Of single commands

These say more, or something else, than the table above. `sluice ingest` means a [program of your own](api.md), too: `ingest(…)` returns
the same codes.
"""


def page() -> str:
    """The text of the page."""
    every = table(("code", "meaning"), ((f"**{code}**", text) for code, text in EVERY.items()))
    own = table(("command", "code", "meaning"), _own())
    rest = ", ".join(f"`{name}`" for name, codes in meanings().items() if codes == EVERY)
    return "\n".join(
        (_HEAD, every, _OWN, own, f"All others have the codes of every command: {rest}.\n")
    )


EVERY = dict(sorted(command.EXITS.items()))


@cache
def meanings() -> dict[str, dict[int, str]]:
    """What the exit codes of each command mean, by its name."""
    return {part.name: part.load().parser().exits for part in COMMANDS}


def _own() -> Iterator[tuple[str, str, str]]:
    for name, codes in meanings().items():
        special = [(code, text) for code, text in codes.items() if EVERY.get(code) != text]
        for index, (code, text) in enumerate(special):
            yield ("" if index else f"[`{name}`](options.md#{name})", f"**{code}**", text)
