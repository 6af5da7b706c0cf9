"""Tables whose rows depend on the order of commits, and records for them.

Every file has keys of its own, so the order of files makes no difference; that of its records does.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STRETCH = 1_500
"""Records of a file in which keys are repeated seldom, and then often."""

SELDOM, OFTEN = 0.001, 0.15
"""Share of records whose key is that of one of the last ``RECENT`` records, in turns."""

RECENT = 400
REFUSED = 0.01
TEXT_KEYS = 0.02
"""Share of keys that are spelt as text, where keys are repeated often: the database takes them for the
same, and their commits are alone with their table."""

PARENTS = 500
LATE_WITHIN = 300
"""Records after which the parent of a late child comes at most."""

NOBODY = 0
"""A parent that never comes."""

Record = dict[str, Any]
Break = Callable[[random.Random, Record], Record]

_EVENTS = (
    "CREATE TABLE events (id bigint PRIMARY KEY, at bigint NOT NULL, n integer CHECK (n >= 0), "
    "note text NOT NULL{})"
)

_BREAKS: Sequence[Break] = (
    lambda _, record: {**record, "n": -1},
    lambda _, record: {**record, "n": 10**12},
    lambda _, record: {**record, "n": "many"},
    lambda _, record: {**record, "note": None},
    lambda _, record: {**record, "id": None},
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Tables and what is written into them.

    Attributes:
        name: What it is about.
        ddl: Statements that create and fill the tables.
        tables: The tables that are written.
        records: The records of one file: random numbers, the first key, how many records.
        side_by_side: Whether its commits may be in flight together at all.
        options: Further options of the run.
    """

    name: str
    ddl: Sequence[str]
    tables: Sequence[str]
    records: Callable[[random.Random, int, int], Iterator[Record]]
    side_by_side: bool
    options: Sequence[str] = ()

    def flags(self, root: Path, on_conflict: str) -> list[str]:
        """The options that say where records go."""
        if len(self.tables) == 1:
            (table,) = self.tables
            return ["--table", table, "--key", "id", "--on_conflict", on_conflict, *self.options]
        routes = root / f"{self.name}-{on_conflict.partition(':')[0]}.json"
        routes.write_text(
            json.dumps({"routes": [_route(each, on_conflict) for each in self.tables]})
        )
        return ["--routes", str(routes), "--pipeline", self.name, *self.options]


def write(scene: Scene, folder: Path, files: int, records: int, seed: int) -> None:
    """Write the files of a scene, ``records`` in each."""
    folder.mkdir()
    for number in range(files):
        numbers = random.Random(f"{scene.name} {seed} {number}")
        with (folder / f"{number}.jsonl").open("w") as lines:
            for record in scene.records(numbers, 1 + number * 10 * records, records):
                lines.write(json.dumps(record) + "\n")


def _route(table: str, on_conflict: str) -> Mapping[str, Any]:
    return {
        "table": table,
        "when": {"field": "table", "is": table},
        "key": ["id"],
        "on_conflict": on_conflict,
        "map": [{"drop": ["table"]}],
    }


def _events(
    numbers: random.Random,
    first: int,
    count: int,
    more: Callable[[random.Random, int], Record] = lambda _, number: {},
    breaks: Sequence[Break] = (),
) -> Iterator[Record]:
    """Events, with ``more`` fields, and further ways to break one."""
    keys: deque[int] = deque(maxlen=RECENT)
    for number in range(first, first + count):
        often = (number - first) // STRETCH % 2 == 1
        repeated = keys and numbers.random() < (OFTEN if often else SELDOM)
        key = numbers.choice(keys) if repeated else number
        keys.append(key)
        record = {
            "id": str(key) if often and numbers.random() < TEXT_KEYS else key,
            "at": numbers.randrange(100),
            "n": number % 1_000_000,
            "note": f"note {number}",
            **more(numbers, number),
        }
        if numbers.random() < REFUSED:
            record = numbers.choice((*_BREAKS, *breaks))(numbers, record)
        yield record


def _with_code(numbers: random.Random, first: int, count: int) -> Iterator[Record]:
    """Some take a code that another record has, or has left."""

    def taken(numbers: random.Random, record: Record) -> Record:
        return {**record, "code": f"code {max(first, record['n'] - numbers.randrange(1, RECENT))}"}

    return _events(numbers, first, count, lambda _, number: {"code": f"code {number}"}, [taken] * 5)


def _with_account(numbers: random.Random, first: int, count: int) -> Iterator[Record]:
    def account(numbers: random.Random, _: int) -> Record:
        return {"account": numbers.randrange(1, 1 + PARENTS)}

    def orphan(_: random.Random, record: Record) -> Record:
        return {**record, "account": NOBODY}

    return _events(numbers, first, count, account, [orphan] * 5)


def _orders(numbers: random.Random, first: int, count: int) -> Iterator[Record]:
    """Accounts and orders of them: most of an earlier one, some of a later one, some of nobody's."""
    accounts = [first]
    late: dict[int, int] = {}
    yield {"table": "accounts", "id": first, "at": 0, "n": 1}
    for number, event in enumerate(_events(numbers, first + 1, count - 1), first + 1):
        fields = {"at": event["at"], "n": event["n"]}
        if number in late:
            yield {"table": "accounts", "id": late[number], **fields, "n": 1}
        elif numbers.random() < (0.001, 0.2)[(number - first) // STRETCH % 2]:
            repeated = numbers.random() < 0.3
            key = numbers.choice(accounts[-20:]) if repeated else number
            accounts.append(key)
            # An account that comes for the first time is good, since orders refer to it.
            yield {"table": "accounts", "id": key, **(fields if repeated else {**fields, "n": 1})}
        else:
            event["account"] = numbers.choice(accounts[-20:])
            chance = numbers.random()
            if chance < 0.002:
                event["account"] = NOBODY
            elif chance < 0.005 and number + LATE_WITHIN < first + count:
                at = numbers.randrange(number + 1, number + LATE_WITHIN)
                key = late.setdefault(at, -number)
                # Its second attempt comes out of turn, so its key is its own.
                event |= {"id": -number, "n": 1, "note": "late", "account": key}
            yield {"table": "orders", **event}


SCENES = (
    Scene("key", [_EVENTS.format("")], ["events"], _events, side_by_side=True),
    Scene("unique", [_EVENTS.format(", code text UNIQUE")], ["events"], _with_code, False),
    Scene(
        "parent",
        [
            "CREATE TABLE accounts (id bigint PRIMARY KEY)",
            f"INSERT INTO accounts SELECT generate_series(1, {PARENTS})",
            _EVENTS.format(", account bigint NOT NULL REFERENCES accounts"),
        ],
        ["events"],
        _with_account,
        side_by_side=True,
        options=["--retry_on", ""],
    ),
    Scene(
        "routes",
        [
            "CREATE TABLE accounts (id bigint PRIMARY KEY, at bigint, n integer CHECK (n >= 0))",
            _EVENTS.format(", account bigint NOT NULL REFERENCES accounts").replace(
                "events", "orders"
            ),
        ],
        ["accounts", "orders"],
        _orders,
        side_by_side=True,
        options=[*("--max_attempts", "6"), *("--backoff_base", "0.5"), *("--backoff_cap", "1")],
    ),
)
