"""Say all that is wrong with pipeline files, without contacting any service.

    python -m pipelines.pipeline_file.validate orders.yaml [--env prod]

Exit 0 when every file is right, 2 otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import command
from pipelines.flags import add_verbose
from pipelines.pipeline_file.layer_flags import add_layers
from pipelines.terminal import safe
from runners.beam.imports import import_beam
from transforms.secrets import redact

_DESCRIPTION = """\
Say all that is wrong with pipeline files: file, line, column, what, and what to do. No service is
contacted, and no record is read; the files of steps are loaded."""

_EXAMPLES = """\
examples:
  %(prog)s orders.yaml
  %(prog)s pipelines/*.yaml --env prod"""

_EXITS = {
    command.OK: "every file is right",
    command.USAGE: "something is wrong; a line says what and where",
}
"""What its exit codes mean, where they say more than those of every command."""


def parser() -> command.Parser:
    """The flags of ``sluice validate``."""
    parser = command.Parser(
        prog="python -m pipelines.pipeline_file.validate",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        exits=_EXITS,
    )
    asked = parser.add_argument_group("what is looked at")
    asked.add_argument(
        "files", metavar="FILE", nargs="+", help="pipeline files (docs/pipeline-file.md)"
    )
    add_layers(asked)
    add_verbose(parser.add_argument_group("what is printed"))
    return parser


def main(argv: Sequence[str]) -> int:
    """Print a line for each error, or that a file is right; returns the exit code."""
    flags = parser().parse_args(list(argv))
    with command.importing():
        import_beam([])
        from pipelines.pipeline_file.validating import errors_of

    code = command.OK
    for path in flags.files:
        errors = errors_of(path, flags.env, flags.set)
        for error in errors:
            print(safe(redact(" ".join(str(error).split()))))
        if errors:
            code = command.USAGE
        else:
            print(f"{safe(path)}: valid")
    command.check_printed()
    return code


if __name__ == "__main__":
    sys.exit(command.run("validate", main, None))
