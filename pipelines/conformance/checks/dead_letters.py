"""Dead letters: whatever a record holds comes back as it was, byte by byte, and is found again."""

from __future__ import annotations

from dataclasses import replace

from pipelines.conformance.check import Check, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of, failure_of
from sinks.jobs.filter import JobFilter
from sinks.jobs.store import list_jobs
from transforms.batch.record import Failure, Format

SCHEMA = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}
ALL_BYTES = bytes(range(256))
PAYLOADS = (b"", b"\x00", ALL_BYTES, b"\xff\xfe\xfd", b"\\x41\\", b"'; --", "\U0001f642é".encode())
LARGE = bytes(range(256)) * 4096  # 1 MiB
TEXTS = (
    "",
    "\U0001f642 Zürich",
    "back\\slash 'quote' \"double\"",
    "%s {} :name ?",
    "a\tb\nc",
    "x" * 2000,
)
HOSTILE = ("nul \x00 here", "lone \ud800 surrogate", "\x1b[2J")


def _stored(ground: Ground, table: str) -> dict[int, Failure]:
    listed = list_jobs(ground.database, JobFilter(target=table), limit=1000)
    return {job.failure.origin.offset: job.failure for job in listed}


def _payloads(ground: Ground, trial: Trial) -> None:
    sink = ground.sink("dead_letters_payloads", key=["id"], schema=SCHEMA)
    failures = [
        failure_of(
            sink,
            offset,
            raw=raw,
            key=raw,
            headers=(("h", raw), ("h", None), ("é\U0001f642", b"")),
            event_time=1.5 + offset,
        )
        for offset, raw in enumerate((*PAYLOADS, LARGE))
    ]
    committed(sink, [batch_of(sink, [], failures=failures)])
    stored = _stored(ground, "dead_letters_payloads")
    for failure in failures:
        there = stored.get(failure.origin.offset)
        trial.true(f"the record at {failure.origin.offset} is kept", there)
        if there is not None:
            trial.equal("the bytes of a record", there.raw, failure.raw)
            trial.equal("the key of its message", there.key, failure.key)
            trial.equal("the headers of its message", there.headers, failure.headers)
            trial.equal("the time of its event", there.event_time, failure.event_time)


def _texts(ground: Ground, trial: Trial) -> None:
    """Messages come back as they are; what no database can hold does not keep a record from it."""
    sink = ground.sink("dead_letters_texts", key=["id"], schema=SCHEMA)
    csv = Format("csv", ("ä", 'q"', "c,d"), "\t", "'", "\\", ("NULL", ""), "latin-1")
    failures = [
        replace(failure_of(sink, offset, message=text, stack=text, stage="step ü"), format=csv)
        for offset, text in enumerate((*TEXTS, *HOSTILE))
    ]
    committed(sink, [batch_of(sink, [], failures=failures)])
    stored = _stored(ground, "dead_letters_texts")
    trial.equal("records that are kept", sorted(stored), list(range(len(failures))))
    for offset, failure in enumerate(failures[: len(TEXTS)]):
        trial.equal("the message of a failure", stored[offset].message, failure.message)
        trial.equal("its stack", stored[offset].stack, failure.stack)
        trial.equal("its stage", stored[offset].stage, "step ü")
        trial.equal("the format of its record", stored[offset].format, csv)


def _many(ground: Ground, trial: Trial) -> None:
    """As many in one commit as a driver's parameters may be too few for."""
    sink = ground.sink("dead_letters_many", key=["id"], schema=SCHEMA)
    number = 800
    failures = [failure_of(sink, offset, raw=b"%d" % offset) for offset in range(number)]
    committed(sink, [batch_of(sink, [], failures=failures)])
    stored = _stored(ground, "dead_letters_many")
    raws = {offset: failure.raw for offset, failure in stored.items()}
    trial.equal("records that are kept", raws, {n: b"%d" % n for n in range(number)})


def _found(ground: Ground, trial: Trial) -> None:
    """Dead letters are found by their source, their bytes and their key."""
    table = "dead_letters_found"
    sink = ground.sink(table, key=["id"], schema=SCHEMA)
    failures = [
        failure_of(sink, 0, raw=b"\x00\xff needle_1% \x00", key=b"key-a"),
        failure_of(sink, 1, raw=b"needleX1Y", key=b"key-b"),
        failure_of(sink, 2, raw=b"NEEDLE_1%", key=b"key-c"),
    ]
    committed(sink, [batch_of(sink, [], failures=failures)])
    source = f"file:///conformance/{table}"
    for which, expected in (
        (JobFilter(text="needle_1%"), {0}),
        (JobFilter(key="key-b"), {1}),
        (JobFilter(source=source), {0, 1, 2}),
        (JobFilter(source="file:///*found"), {0, 1, 2}),
        (JobFilter(source=source.replace("_", "%")), set()),
        (JobFilter(source=source.replace("_", "?") + "*"), set()),
    ):
        which = replace(which, target=table)
        offsets = {job.failure.origin.offset for job in list_jobs(ground.database, which)}
        asked = {name: value for name, value in which.as_json().items() if name != "target"}
        trial.equal(f"records that match {asked}", offsets, expected)


CHECKS = (
    Check(
        "dead_letters.payloads", "all bytes of a record, 1 MiB of them too, come back", _payloads
    ),
    Check("dead_letters.texts", "messages of all kinds keep no record from being stored", _texts),
    Check("dead_letters.many", "hundreds of dead letters are stored by one commit", _many),
    Check("dead_letters.found", "a dead letter is found by its bytes, key and source", _found),
)
