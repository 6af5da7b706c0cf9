"""Measure this project beside its peers: the same records, the same server, whole processes, in turns.

    python -m benchmarks.peers [--records 1M] [--rounds 3] [--peers NAME,NAME] [--write]

Each peer is tried on 1,000 records first. One that cannot be installed, fails or leaves wrong rows is
left out, loudly; where the yardstick or this project fails, the command ends with 1.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers import machine, page
from benchmarks.peers.contest import FEW, MORE, WITH_TWO, Contest, Result
from benchmarks.peers.peer import FILES, KAFKA, PEERS, YARDSTICKS, Peer
from benchmarks.peers.process import Failed
from benchmarks.peers.records import Records, bytes_needed, laid_out
from benchmarks.peers.stage import Stage, stage
from benchmarks.peers.table import section
from tests.services.kafka_broker import available
from tests.services.kafka_jars import KAFKA as BROKER

SPARE = 1.2
"""Times the room that the records take: the server's log, and what peers leave behind in the table."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; returns the exit status."""
    options = parser().parse_args(argv)
    if options.list:
        for peer in PEERS:
            print(f"{peer.name:14} {peer.source:6} {peer.title.strip('*')}  {peer.versions}")
        return 0
    load = machine.load_average()
    if load > machine.BUSY:
        print(f"THE MACHINE IS BUSY (load {load:.1f}): the figures mean little", file=sys.stderr)
    peers = with_yardsticks(options.peers)
    if any(peer.source == KAFKA for peer in peers) and (missing := available()) is not None:
        print(f"LEFT OUT: all that read from Kafka: {missing}", file=sys.stderr)
        peers = [peer for peer in peers if peer.source != KAFKA]
    with_server = any(peer.name == "server" for peer in peers)
    needed = round(SPARE * bytes_needed(options.records, ready=with_server))
    free = shutil.disk_usage(options.folder or tempfile.gettempdir()).free
    if needed > free:
        print(
            f"{options.records:,} records need about {needed >> 30} GiB, and {free >> 30} GiB are "
            "free: take fewer, another --folder, or --peers without server",
            file=sys.stderr,
        )
        return 2
    try:
        if options.write:
            page.check()
        sections = measure(peers, options, load)
    except (Failed, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing is written", file=sys.stderr)
        return 130
    print("\n".join(sections), end="")
    if options.write:
        page.write(sections)
    return 0


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        "python -m benchmarks.peers",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("--records", type=amount, default=1_000_000, help="in files: 20k, 1M, 100M (default: 1M)")
    add("--kafka_records", type=amount, help="in the topic (default: --records, at most 1M)")
    add("--files", type=amount, default=8, help="how many (default: 8)")
    add("--rounds", type=amount, default=3, help="how many (default: 3)")
    add(
        "--peers",
        type=chosen,
        default=list(PEERS),
        metavar="NAME,…",
        help="only these, and their yardsticks (default: all that --list names)",
    )
    add(
        "--limit",
        type=float,
        default=10.0,
        metavar="MINUTES",
        help="leave out a peer whose run takes longer (default: 10)",
    )
    add(
        "--folder",
        type=folder,
        help="where servers and records are put (default: the system's /tmp)",
    )
    add("--write", action="store_true", help="write the tables into docs/performance.md")
    add("--list", action="store_true", help="name the peers, and end")
    return options


def amount(text: str) -> int:
    """A number above 0: ``20k``, ``1M``, ``250000``.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    units = {"k": 1_000, "m": 1_000_000}
    digits, unit = (text[:-1], units[text[-1].lower()]) if text[-1:].lower() in units else (text, 1)
    if not digits.isdecimal() or not int(digits):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number such as 20k or 1M")
    return int(digits) * unit


def folder(text: str) -> Path:
    """A folder that is there.

    Raises:
        argparse.ArgumentTypeError: It is not.
    """
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return path


def chosen(text: str) -> list[Peer]:
    """The peers that ``text`` names, in the order of ``PEERS``.

    Raises:
        argparse.ArgumentTypeError: A name is unknown.
    """
    names = text.split(",")
    unknown = set(names) - {peer.name for peer in PEERS}
    if unknown:
        raise argparse.ArgumentTypeError(
            f"no peer is called {', '.join(sorted(unknown))}: {', '.join(p.name for p in PEERS)}"
        )
    return [peer for peer in PEERS if peer.name in names]


def with_yardsticks(peers: Sequence[Peer]) -> list[Peer]:
    """Those, and the yardstick of each source that they read from."""
    sources = {peer.source for peer in peers}
    return [
        peer
        for peer in PEERS
        if peer in peers or (peer.source in sources and peer.name == YARDSTICKS[peer.source])
    ]


def measure(peers: Sequence[Peer], options: argparse.Namespace, load: float) -> list[str]:
    """Run the rounds of each source; returns the sections of the page."""
    sections, commit = [], machine.commit()
    with stage(any(peer.source == KAFKA for peer in peers), options.folder) as servers:
        for source in (FILES, KAFKA):
            entrants = [peer for peer in peers if peer.source == source]
            if not entrants:
                continue
            count = options.records
            if source == KAFKA:
                count = options.kafka_records or min(count, 1_000_000)
            results = contest(servers, source, entrants, count, options)
            software = f"Postgres {servers.version}" + (
                f", Kafka {BROKER}" if source == KAFKA else ""
            )
            sections.append(
                section(source, count, results, machine.described(software, load, commit))
            )
    return sections


def contest(
    servers: Stage, source: str, peers: Sequence[Peer], count: int, options: argparse.Namespace
) -> list[Result]:
    """Lay out the records of one source, and run its rounds."""
    ready = any(peer.name == "server" for peer in peers)

    def records(name: str, number: int) -> Records:
        laid = laid_out(servers.root / f"{source}-{name}", number, options.files, ready=ready)
        return servers.publish(laid, name) if source == KAFKA else laid

    print(f"Laying out {count:,} records ({source})", file=sys.stderr)
    more = records("more", MORE) if count >= WITH_TWO else None
    rounds = Contest(
        servers,
        records("few", FEW),
        more,
        records("all", count),
        options.rounds,
        options.limit * 60,
    )
    return rounds.results(peers)


if __name__ == "__main__":
    sys.exit(main())
