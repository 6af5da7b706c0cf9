"""Make a realistic set of events to try the pipeline on, with duplicates and broken lines.

    python -m examples.events --records 20000 --files 4 --duplicates 0.02 --broken 0.01 demo/events

The set is the same for the same seed. ``events()`` also says what it broke and how, so that a test can
check every single dead letter.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["event_id", "user_id", "type", "occurred_at"],
    "additionalProperties": False,
    "properties": {
        "event_id": {"type": "string", "format": "uuid"},
        "user_id": {"type": "integer", "minimum": 0},
        "type": {"type": "string", "enum": ["click", "view", "purchase", "refund"]},
        "occurred_at": {"type": "string", "format": "date-time"},
        "amount": {"type": ["number", "null"], "minimum": 0},
        "currency": {"type": ["string", "null"], "maxLength": 3},
        "props": {"type": "object"},
    },
}

COLUMNS = ("event_id", "user_id", "type", "occurred_at", "amount", "currency")
"""Columns of the CSV form, without ``props``."""

TOO_LARGE = 1_100_000
"""Bytes of padding that take a record over the default limit of 1 MiB."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the set.

    Attributes:
        raw: Its bytes without the newline.
        key: Its ``event_id``; for a broken line, that of the event that was broken.
        broken: In which way of ``BREAKS`` it is broken, or None.
        duplicate: Whether an earlier line has the same key.
    """

    raw: bytes
    key: str
    broken: str | None = None
    duplicate: bool = False


def _encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _deep(event: dict[str, Any]) -> bytes:
    return _encode(event)[:-1] + b',"deep":' + b"[" * 200 + b"]" * 200 + b"}"


BREAKS: dict[str, tuple[str, Callable[[dict[str, Any]], bytes]]] = {
    # name: (category of its dead letter, how to break an event)
    "truncated": ("malformed", lambda event: _encode(event)[:-7]),
    "nan": ("malformed", lambda event: _encode(event)[:-1] + b',"amount":NaN}'),
    "trailing": ("malformed", lambda event: _encode(event) + b" }"),
    "invalid_utf8": (
        "invalid_utf8",
        lambda event: _encode(event).replace(b'"type":"', b'"type":"\xff\xfe'),
    ),
    "scalar": ("not_object", lambda event: b"42"),
    "array": ("not_object", lambda event: b"[" + _encode(event) + b"]"),
    "too_deep": ("too_deep", _deep),
    "too_large": (
        "too_large",
        lambda event: _encode({**event, "props": {"pad": "x" * TOO_LARGE}}),
    ),
    "missing_field": (
        "schema",
        lambda event: _encode({k: v for k, v in event.items() if k != "user_id"}),
    ),
    "wrong_type": ("schema", lambda event: _encode({**event, "user_id": "seven"})),
    "not_in_enum": ("schema", lambda event: _encode({**event, "type": "unheard-of"})),
    "bad_uuid": ("schema", lambda event: _encode({**event, "event_id": "not-a-uuid"})),
    "unknown_field": ("schema", lambda event: _encode({**event, "surprise": 1})),
}


def event(rng: random.Random, number: int) -> dict[str, Any]:
    """One good event of about 190 bytes."""
    occurred = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number / 2)
    return {
        "event_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "user_id": rng.randrange(10_000_000),
        "type": rng.choice(("click", "view", "purchase")),
        "occurred_at": occurred.isoformat(),
        "amount": round(rng.random() * 1000, 2),
        "currency": "EUR",
        "props": {"k": number % 100, "s": "abc"},
    }


def events(
    records: int, *, duplicates: float = 0.0, broken: float = 0.0, seed: int = 7
) -> Iterator[Line]:
    """``records`` lines, of which given shares repeat an earlier line or are broken.

    Broken lines use the ways of ``BREAKS`` in turn.
    """
    rng = random.Random(seed)  # noqa: S311 - test data, not a secret
    recent: list[bytes] = []
    ways = list(BREAKS.items())
    broke = 0
    for number in range(records):
        draw = rng.random()
        fresh = event(rng, number)
        if draw < broken:
            name, (_, way) = ways[broke % len(ways)]
            broke += 1
            yield Line(way(fresh), fresh["event_id"], broken=name)
        elif draw < broken + duplicates and recent:
            raw = rng.choice(recent)
            yield Line(raw, json.loads(raw)["event_id"], duplicate=True)
        else:
            raw = _encode(fresh)
            if number % 10 == 0:
                recent = [*recent[-999:], raw]
            yield Line(raw, fresh["event_id"])


def csv_line(raw: bytes) -> bytes:
    """A good JSON line as a CSV line of ``COLUMNS``, without the newline."""
    value = json.loads(raw)
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([value[column] for column in COLUMNS])
    return text.getvalue().encode()


def write(folder: Path, lines: Iterator[Line], files: int) -> list[Path]:
    """Distribute ``lines`` over ``files`` JSON lines files in ``folder``; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"events-{index}.jsonl" for index in range(files)]
    handles = [path.open("wb") for path in paths]
    try:
        for number, line in enumerate(lines):
            handles[number % files].write(line.raw + b"\n")
    finally:
        for handle in handles:
            handle.close()
    return paths


def main() -> None:
    """Write a set of events, and their schema."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--duplicates", type=float, default=0.02, metavar="SHARE")
    parser.add_argument("--broken", type=float, default=0.005, metavar="SHARE")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    lines = events(
        arguments.records,
        duplicates=arguments.duplicates,
        broken=arguments.broken,
        seed=arguments.seed,
    )
    write(arguments.folder, lines, arguments.files)
    (arguments.folder / "schema.json").write_text(json.dumps(SCHEMA, indent=2) + "\n")


if __name__ == "__main__":
    main()
