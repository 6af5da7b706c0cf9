"""How a broker for tests is set up: its settings and its command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

MESSAGE_BYTES = 16 << 20

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(MESSAGE_BYTES),
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "100",
    # One node, so one replica of everything, and few internal partitions to load at start.
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A broker that nobody asks costs half as much; several of them idle for most of a run of all tests.
    "metadata.max.idle.interval.ms": "0",
    "background.threads": "1",
    "num.io.threads": "2",
    "num.network.threads": "1",
    # After a SIGKILL the controller refuses the next incarnation while the last one's session
    # lives (Kafka's default: 9 s).
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "2000",
    # Retention and compaction within a test's patience; Kafka's own are minutes.
    "log.initial.task.delay.ms": "100",
    "log.retention.check.interval.ms": "200",
    "log.segment.delete.delay.ms": "100",
    "log.cleaner.backoff.ms": "100",
    "log.cleaner.dedupe.buffer.size": str(4 << 20),
}


def properties(
    port: int,
    controller: int,
    data: Path,
    settings: Mapping[str, str],
    listeners: Mapping[str, int],
) -> str:
    """The text of ``server.properties``; ``settings`` override everything else.

    ``listeners`` are more of them: the port of each, by its name.
    """
    ports = {"PLAINTEXT": port, **listeners}
    advertised = ",".join(f"{name}://127.0.0.1:{number}" for name, number in ports.items())
    every = {
        **SETTINGS,
        "listeners": f"{advertised},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": advertised,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "log.dirs": str(data),
        **settings,
    }
    return "".join(f"{name}={value}\n" for name, value in every.items())


def java(jars: Path, *options: str) -> list[str]:
    """The command up to the main class; what is logged goes to standard error."""
    logging = "-Dorg.slf4j.simpleLogger."
    return [
        *("java", *options, f"{logging}showDateTime=true"),
        *(f"{logging}dateTimeFormat=HH:mm:ss.SSS", "-cp", f"{jars}{os.sep}*"),
    ]
