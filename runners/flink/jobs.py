"""Look at the jobs of a Flink cluster, stop them with a savepoint, cancel them.

python -m runners.flink status|stop|cancel [--flink_master HOST:PORT] [--job ID] [--drain]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from runners.flink.local.cluster import endpoints
from runners.flink.rest import FlinkRefused, FlinkRest, FlinkUnreachable

RUNNING = ("RUNNING", "CREATED", "RESTARTING", "INITIALIZING", "FAILING", "CANCELLING")


class JobError(Exception):
    """A job could not be found, stopped or cancelled; the message is one line."""


def status(rest: FlinkRest, job: str | None = None) -> list[dict[str, Any]]:
    """The jobs that the cluster knows, newest first.

    Of each its id, name, state, when it started, for how long it runs, its checkpoints, how often
    it was restarted, and the last failure (one line, or None). Of the checkpoints: how many, the
    ``last`` and the last ``savepoint``, from which a job can go on. Where Flink has deleted the
    last with its job, ``last`` is None and ``gone`` says which it was.
    """
    found = sorted(rest.get("/jobs/overview")["jobs"], key=lambda each: -each["start-time"])
    return [
        {
            "job": each["jid"],
            "name": each["name"],
            "state": each["state"],
            "started": datetime.fromtimestamp(each["start-time"] / 1000, UTC).isoformat(
                timespec="seconds"
            ),
            "seconds": round(each["duration"] / 1000),
            "checkpoints": _checkpoints(rest, each["jid"]),
            "restarts": _restarts(rest, each["jid"]),
            "failure": _failure(rest, each["jid"]),
        }
        for each in found
        if job is None or each["jid"] == job
    ]


def stop(
    rest: FlinkRest, job: str, *, folder: str | None = None, drain: bool = False, seconds: float
) -> str:
    """Stop a job with a savepoint and return where it is (``--savepoint_path``).

    Raises:
        JobError: The savepoint failed, or took longer than ``seconds``.
    """
    body: dict[str, Any] = {"drain": drain}
    if folder is not None:
        body["targetDirectory"] = folder
    request = rest.post(f"/jobs/{job}/stop", body)["request-id"]
    answer: dict[str, Any] = {}

    def completed() -> bool:
        nonlocal answer
        answer = rest.get(f"/jobs/{job}/savepoints/{request}")
        return bool(answer["status"]["id"] == "COMPLETED")

    _await(completed, seconds, f"the savepoint of job {job}")
    operation = answer["operation"]
    if "location" not in operation:
        cause = str(operation.get("failure-cause", {}).get("stack-trace", "no cause given"))
        raise JobError(f"job {job} goes on: its savepoint failed: {cause.splitlines()[0][:300]}")
    return str(operation["location"])


def cancel(rest: FlinkRest, job: str, *, seconds: float) -> None:
    """Cancel a job and wait until it has ended; a stream's last checkpoint stays.

    Raises:
        JobError: It has not ended within ``seconds``.
    """
    rest.patch(f"/jobs/{job}?mode=cancel")
    _await(
        lambda: rest.get(f"/jobs/{job}")["state"] not in RUNNING, seconds, f"the end of job {job}"
    )


def _checkpoints(rest: FlinkRest, job: str) -> dict[str, Any]:
    try:
        found = rest.get(f"/jobs/{job}/checkpoints")
    except FlinkRefused:  # a bounded job has none
        return {}
    latest = found.get("latest") or {}
    last, savepoint = latest.get("completed") or {}, latest.get("savepoint") or {}
    made = {
        "completed": found["counts"]["completed"],
        "failed": found["counts"]["failed"],
        "restored": found["counts"]["restored"],
        "last": last.get("external_path"),
        "savepoint": savepoint.get("external_path"),
    }
    if last.get("discarded"):
        made.update(last=None, gone=last["external_path"])
    return made


def _restarts(rest: FlinkRest, job: str) -> int | None:
    """How often Flink has begun it again; None once it has ended: its metrics end with it."""
    found = rest.get(f"/jobs/{job}/metrics?get=numRestarts")
    return int(found[0]["value"]) if found else None


def _failure(rest: FlinkRest, job: str) -> str | None:
    """What its last failure came of, which the job may have survived."""
    found = rest.get(f"/jobs/{job}/exceptions?maxExceptions=1")["exceptionHistory"]["entries"]
    return cause(str(found[0]["stacktrace"])) if found else None


def cause(stack: str) -> str:
    """The line of a stack, Java's around Python's, that says what happened; 300 characters.

    >>> cause("java.lang.Exception: x\\n\\tat a.b\\nCaused by: b.Error: Traceback …\\n  in f\\nE: no")
    'E: no'
    """
    innermost = stack.rpartition("Caused by: ")[2]
    said = [line for line in innermost.splitlines() if line and not line[0].isspace()]
    return (said or ["no cause given"])[-1][:300]


def _await(reached: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise JobError(f"{what} takes more than {seconds:.0f} s (--timeout)")
        time.sleep(random.uniform(0.2, 0.5))  # noqa: S311 - jitter


def _only(rest: FlinkRest) -> str:
    running = [each["id"] for each in rest.get("/jobs")["jobs"] if each["status"] in RUNNING]
    if len(running) != 1:
        which = ", ".join(running) or "none"
        raise JobError(f"name one with --job: {len(running)} jobs are running ({which})")
    return str(running[0])


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 done, 1 failed."""
    parser = argparse.ArgumentParser(prog="python -m runners.flink", allow_abbrev=False)
    add = parser.add_argument
    add("action", choices=("status", "stop", "cancel"))
    add("--flink_master", metavar="HOST:PORT", help="default: the cluster in .flink/")
    add("--job", metavar="ID", help="default: the only one that is running")
    add("--savepoint_folder", metavar="URI", help="where stop leaves it (default: the cluster's)")
    add(
        "--drain",
        action="store_true",
        help="let sources come to their end first; a stream of pipelines.ingest or .outbox has none: "
        "it reads on, without checkpoints, until it is cancelled (leave it out for these)",
    )
    add("--timeout", type=float, default=120.0, metavar="S", help="default: 120 seconds")
    add("--json", action="store_true", help="print a list of objects")
    given = parser.parse_args(argv)
    try:
        made = _done(given)
    except (JobError, FlinkRefused, FlinkUnreachable) as error:
        sys.stderr.write(f"flink: {error}\n")
        return 1
    for each in made:
        if not given.json:
            sys.stdout.write("  ".join(str(value) for value in each.values()) + "\n")
    if given.json:
        sys.stdout.write(json.dumps(made, indent=2) + "\n")
    return 0


def _done(given: argparse.Namespace) -> list[dict[str, Any]]:
    master = given.flink_master
    if master is None:
        local = endpoints()
        if local is None:
            raise JobError("name the cluster with --flink_master host:port")
        master = local.flink_master
    rest = FlinkRest(master)
    if given.action == "status":
        return status(rest, given.job)
    job = given.job or _only(rest)
    if given.action == "stop":
        path = stop(
            rest, job, folder=given.savepoint_folder, drain=given.drain, seconds=given.timeout
        )
        return [{"job": job, "savepoint": path}]
    cancel(rest, job, seconds=given.timeout)
    checkpoints = _checkpoints(rest, job)
    kept = checkpoints.get("last")
    if checkpoints and kept is None:
        sys.stderr.write(
            f"flink: job {job} has left no checkpoint; start it again without --savepoint_path: "
            "the ledger knows where it goes on\n"
        )
    return [{"job": job, "cancelled": True, "checkpoint": kept}]
