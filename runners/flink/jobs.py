"""Show the jobs of a Flink cluster, stop them with a savepoint, cancel them.

python -m runners.flink status|stop|cancel [--flink_master HOST:PORT] [--job ID] [--drain]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from runners import streams
from runners.flink.endpoints import endpoints
from runners.flink.failures import cause, last_failure
from runners.flink.rest import FlinkRefused, FlinkRest, FlinkUnreachable
from runners.parser import Parser

RUNNING = ("RUNNING", "CREATED", "RESTARTING", "INITIALIZING", "FAILING", "CANCELLING")


class JobError(Exception):
    """A job could not be found, stopped or cancelled; the message is one line."""


def status(rest: FlinkRest, job: str | None = None) -> list[dict[str, Any]]:
    """The jobs that the cluster knows, newest first; or only ``job``.

    Each has its id, name and state, when it started and how many seconds it has run, its
    checkpoints, how often it was restarted, and its last failure (one line, or None). The
    checkpoints are counted, and the ``last`` one and the last ``savepoint``, from which a job can
    go on, are named. If Flink has deleted the last checkpoint with its job, ``last`` is None and
    ``gone`` names it.
    """
    overview = sorted(rest.get("/jobs/overview")["jobs"], key=lambda each: -each["start-time"])
    return [
        {
            "job": summary["jid"],
            "name": summary["name"],
            "state": summary["state"],
            "started": datetime.fromtimestamp(summary["start-time"] / 1000, UTC).isoformat(
                timespec="seconds"
            ),
            "seconds": round(summary["duration"] / 1000),
            "checkpoints": _checkpoints(rest, summary["jid"]),
            "restarts": _restarts(rest, summary["jid"]),
            "failure": _failure(rest, summary["jid"]),
        }
        for summary in overview
        if job is None or summary["jid"] == job
    ]


def stop(
    rest: FlinkRest, job: str, *, folder: str | None = None, drain: bool = False, seconds: float
) -> str:
    """Stop a job with a savepoint and return its path, for ``--savepoint_path``.

    It first waits until all of the job runs: Flink takes no savepoint of one that begins. Two stops
    at once would fail each other and the job would start again, so a second one asks for the
    savepoint of the first, and says so on stderr.

    Raises:
        JobError: The job has ended, or does not run within ``seconds``; the savepoint failed, or
            took longer.
    """
    _await(lambda: _runs(rest, job), seconds, f"the start of job {job}")
    body: dict[str, Any] = {"drain": drain}
    if folder is not None:
        body["targetDirectory"] = folder
    request, under_way = _request(rest, job)
    if under_way:
        sys.stderr.write(f"flink: job {job} is being stopped already; its savepoint is awaited\n")
    else:
        rest.post(f"/jobs/{job}/stop", {**body, "triggerId": request})
    answer: dict[str, Any] = {}

    def completed() -> bool:
        nonlocal answer
        answer = rest.get(f"/jobs/{job}/savepoints/{request}")
        return bool(answer["status"]["id"] == "COMPLETED")

    _await(completed, seconds, f"the savepoint of job {job}")
    operation = answer["operation"]
    if "location" not in operation:
        why = cause(str(operation.get("failure-cause", {}).get("stack-trace", "no cause given")))
        state = rest.get(f"/jobs/{job}")["state"]
        what = f"goes on ({state})" if state in RUNNING else f"has ended ({state})"
        raise JobError(f"job {job} {what}: its savepoint failed: {why}")
    return str(operation["location"])


def _runs(rest: FlinkRest, job: str) -> bool:
    """Whether all of a job runs.

    Raises:
        JobError: It has ended.
    """
    answer = rest.get(f"/jobs/{job}")
    if answer["state"] not in RUNNING:
        raise JobError(_ended(rest, job, answer["state"]))
    return answer["state"] == "RUNNING" and all(
        vertex["status"] in ("RUNNING", "FINISHED") for vertex in answer["vertices"]
    )


def _ended(rest: FlinkRest, job: str, state: str) -> str:
    """A line on a job that has ended, and what it has left."""
    failure = _failure(rest, job) if state == "FAILED" else None
    checkpoints = _checkpoints(rest, job)
    left = checkpoints.get("savepoint") or checkpoints.get("last")
    return (
        f"job {job} has ended already: it is {state}"
        + (f": {failure}" if failure else "")
        + (f"; it has left {left}" if left else "")
    )


def _request(rest: FlinkRest, job: str) -> tuple[str, bool]:
    """The id of the next request to stop a job, and whether it was made already.

    All who stop the job count alike, and Flink takes two requests of one id as one. It forgets a
    request 5 minutes after its end.
    """
    number = 0
    while True:
        request = hashlib.md5(f"{job} {number}".encode(), usedforsecurity=False).hexdigest()
        try:
            answer = rest.get(f"/jobs/{job}/savepoints/{request}")
        except FlinkRefused:
            return request, False
        if "failure-cause" not in (answer.get("operation") or {}):
            return request, True
        number += 1


def cancel(rest: FlinkRest, job: str, *, seconds: float) -> None:
    """Cancel a job and wait until it has ended; the last checkpoint of a stream stays.

    Raises:
        JobError: It has ended before, or it has not ended within ``seconds``.
    """
    state = rest.get(f"/jobs/{job}")["state"]
    if state not in RUNNING:
        raise JobError(_ended(rest, job, state))
    rest.patch(f"/jobs/{job}?mode=cancel")
    _await(
        lambda: rest.get(f"/jobs/{job}")["state"] not in RUNNING, seconds, f"the end of job {job}"
    )


def _checkpoints(rest: FlinkRest, job: str) -> dict[str, Any]:
    try:
        statistics = rest.get(f"/jobs/{job}/checkpoints")
    except FlinkRefused:  # a bounded job has no checkpoints
        return {}
    latest = statistics.get("latest") or {}
    last, savepoint = latest.get("completed") or {}, latest.get("savepoint") or {}
    checkpoints = {
        "completed": statistics["counts"]["completed"],
        "failed": statistics["counts"]["failed"],
        "restored": statistics["counts"]["restored"],
        "last": last.get("external_path"),
        "savepoint": savepoint.get("external_path"),
    }
    if last.get("discarded"):
        checkpoints.update(last=None, gone=last["external_path"])
    return checkpoints


def _restarts(rest: FlinkRest, job: str) -> int | None:
    """How often Flink has restarted it; None once it has ended, because its metrics end with it."""
    metrics = rest.get(f"/jobs/{job}/metrics?get=numRestarts")
    return int(metrics[0]["value"]) if metrics else None


def _failure(rest: FlinkRest, job: str) -> str | None:
    """The cause of its last failure, which the job may have survived."""
    failure = last_failure(rest, job)
    return None if failure is None else str(failure)


def _await(reached: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise JobError(f"{what} takes more than {seconds:.0f} s (--timeout)")
        time.sleep(random.uniform(0.2, 0.5))  # noqa: S311 - jitter


def _only_job(rest: FlinkRest) -> str:
    """The id of the job that runs, if only one does."""
    running = [job["id"] for job in rest.get("/jobs")["jobs"] if job["status"] in RUNNING]
    if len(running) != 1:
        which = ", ".join(running) or "none"
        raise JobError(f"name one with --job: {len(running)} jobs are running ({which})")
    return str(running[0])


def parser(
    kind: Callable[..., Parser] = Parser, program: str = "python -m runners.flink"
) -> Parser:
    """The options of ``runners.flink``, in the parser that ``kind`` makes for ``program``."""
    parser = kind(
        prog=program,
        description="Show the jobs of a Flink cluster, stop them with a savepoint, cancel them.",
        epilog="examples:\n"
        "  %(prog)s status --flink_master localhost:8081 --json\n"
        "  %(prog)s stop --job ID --savepoint_folder s3://bucket/savepoints",
    )
    parser.add_argument("action", choices=("status", "stop", "cancel"), help="what to do")
    which = parser.add_argument_group("which jobs")
    which.add_argument(
        "--flink_master",
        metavar="HOST:PORT",
        help="the cluster's JobManager (default: the cluster in .flink/)",
    )
    which.add_argument("--job", metavar="ID", help="which job (default: the only running one)")
    how = parser.add_argument_group("how it is done")
    how.add_argument(
        "--savepoint_folder",
        metavar="URI",
        help="where stop writes the savepoint (default: the cluster's folder)",
    )
    how.add_argument(
        "--drain",
        action="store_true",
        help="let sources come to their end first; do not use it for a stream of pipelines.ingest or "
        ".outbox, which has no end: it reads on, without checkpoints, until it is cancelled",
    )
    how.add_argument(
        "--timeout",
        type=float,
        default=120.0,
        metavar="S",
        help="how many seconds to wait for the job (default: 120)",
    )
    how.add_argument("--json", action="store_true", help="print a list of objects")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 done, 1 failed."""
    with streams.lasting():
        return carry_out(parser().parse_args(argv))


def carry_out(arguments: argparse.Namespace, ended: Callable[[str], object] | None = None) -> int:
    """Do what the arguments of ``parser`` say, and print it; 0 done, 1 failed.

    Args:
        arguments: The arguments.
        ended: Called with the id of a job that was stopped or cancelled, before it is printed.
    """
    try:
        jobs = _acted_on(arguments)
    except (JobError, FlinkRefused, FlinkUnreachable) as error:
        sys.stderr.write(f"flink: {error}\n")
        return 1
    if arguments.action != "status" and ended is not None:
        ended(jobs[0]["job"])
    if arguments.json:
        sys.stdout.write(json.dumps(jobs, indent=2) + "\n")
        return 0
    for job in jobs:
        sys.stdout.write("  ".join(str(value) for value in job.values()) + "\n")
    return 0


def _acted_on(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Do what the arguments say; returns what to print of each job."""
    master = arguments.flink_master
    if master is None:
        local = endpoints()
        if local is None:
            raise JobError("name the cluster with --flink_master host:port")
        master = local.flink_master
    rest = FlinkRest(master)
    if arguments.action == "status":
        return status(rest, arguments.job)
    job = arguments.job or _only_job(rest)
    if arguments.action == "stop":
        path = stop(
            *(rest, job),
            folder=arguments.savepoint_folder,
            drain=arguments.drain,
            seconds=arguments.timeout,
        )
        return [{"job": job, "savepoint": path}]
    cancel(rest, job, seconds=arguments.timeout)
    checkpoints = _checkpoints(rest, job)
    last = checkpoints.get("last")
    if checkpoints and last is None:
        sys.stderr.write(
            f"flink: job {job} has left no checkpoint; start it again without --savepoint_path: "
            "the ledger knows where to resume\n"
        )
    return [{"job": job, "cancelled": True, "checkpoint": last}]
