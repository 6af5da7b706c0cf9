"""Run the cases of a file through a mapping, a schema and steps, without a source or a database.

    python -m pipelines.test customers.test.yaml [FILE …] [--json]

Exit 0 when every case comes out as expected, 1 otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_verbose

_DESCRIPTION = """\
Run the cases of a file through a mapping, a schema, steps and routes, without a source or a database."""

_FILE = """\
a file:
  map: customers.map.yaml
  cases:
    - name: an ordinary customer
      input: {Customer ID: "7"}
      row: {id: 7}
    - name: an id that is no number
      input: {Customer ID: seven}
      failure: {stage: map}"""

_EXAMPLES = """\
examples:
  %(prog)s customers.test.yaml
  %(prog)s tests/*.test.yaml --json"""

_EXITS = {
    command.OK: "every case comes out as expected",
    command.FAILED: "a case does not come out as expected",
}
"""What its exit codes mean, where they say more than those of every command."""


def parser() -> command.Parser:
    """The flags of ``pipelines.test``."""
    parser = command.Parser(
        prog="python -m pipelines.test",
        description=f"{_DESCRIPTION}\n\n{_FILE}",
        epilog=_EXAMPLES,
        exits=_EXITS,
    )
    asked = parser.add_argument_group("what is tested")
    asked.add_argument(
        "files", metavar="FILE", nargs="+", help="cases, in YAML or (*.json) JSON: docs/testing.md"
    )
    printed = parser.add_argument_group("what is printed")
    printed.add_argument("--json", action="store_true", help="a list of objects, one for each case")
    add_verbose(printed)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the cases and print what fails; returns the exit code."""
    flags = parser().parse_args(list(argv))
    with command.importing():
        from pipelines.testing import report

    return command.FAILED if report.failed(flags.files, as_json=flags.json) else command.OK


if __name__ == "__main__":
    sys.exit(command.run("test", main, None))
