"""Read records, parse and validate them, write each one once, and keep those that fail.

    python -m pipelines.ingest --runner DirectRunner --source './events/*.jsonl' \\
        --sink sqlite:///ingest.db --table events --key event_id

``ingest`` is the same for a program that adds steps of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines import command
from pipelines.ingestion.flags import Option, parser
from pipelines.telemetry import logs
from runners.beam.imports import import_beam
from runners.leaving import leave

if TYPE_CHECKING:
    import apache_beam as beam

    from transforms.route.routes import Routes


def ingest(
    *,
    steps: Sequence[beam.PTransform] = (),
    routes: Routes | Option = None,
    argv: Sequence[str] | None = None,
    **defaults: Option,
) -> int:
    """Run the program ``pipelines.ingest`` with steps of your own; returns its exit code.

    It is a whole program: it takes its own retries and replays, which go through ``steps`` as new
    records do, prints the summary, stops on signals, and reports an error in one line.

        sys.exit(ingest(steps=[EachRecord(hide, "Hide")], source="./people/*.jsonl",
                        sink="sqlite:///people.db", table="people", key="id"))

    Args:
        steps: Transforms from RecordBatch to RecordBatch, in order, each with its own label.
            Retries are kept for a pipeline with this name (``pipeline``, otherwise the table) and
            these labels only.
        routes: Which records go to which tables, behind the steps: ``Routes``, or the path of a file
            of them. ``--routes`` of ``argv`` is taken instead.
        argv: The flags of the command line; by default those of the process.
        defaults: Values for flags that ``argv`` does not set, by name: ``True`` for a switch, a
            list for several values.
    """

    def program(flags: Sequence[str]) -> int:
        with command.importing():
            from pipelines.ingestion import options, run

        if routes is None or isinstance(routes, int | float | Sequence):
            option, of_program = routes, None
        else:
            option, of_program = None, routes
        arguments = options.with_defaults(flags, {**defaults, "routes": option})
        logs.set_up(arguments)
        return run.carry_out(*options.from_argv(arguments, steps, of_program))

    return command.run("ingest", program, argv)


def main(argv: Sequence[str]) -> int:
    """Run one ingestion and return its exit code (0 done, 1 failed, 2 usage, 3, 4 dead letters, 5 paused)."""
    _, beam_flags = parser().parse_known_args(list(argv))  # for --help, Beam is not imported
    with command.importing():
        import_beam(beam_flags)
        from pipelines.ingestion import options, run

    return run.carry_out(*options.from_argv(argv))


if __name__ == "__main__":
    leave(command.run("ingest", main, None))
