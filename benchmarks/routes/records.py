"""The records of one topic: ten types, some repeated, some late, one in a hundred broken. Pure.

All records of one key are in one partition, so their order is defined, and so is the offset of each:
``records`` gives them in the order in which they are produced. A broken record has a key of its own.
"""

from __future__ import annotations

import heapq
import random
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson

from benchmarks.routes.event_types import BY_EVENT, EVENT_TYPES

GOOD, LATE = "good", "late"
"""A late record is a line of an order that comes after it: it is accepted once that is there."""

MALFORMED, NOT_UTF8, UNKNOWN, UNTYPED = "malformed", "not_utf8", "unknown", "untyped"
SCHEMA, CAST, CHECK, NEVER = "schema", "cast", "check", "never"

BROKEN: Mapping[str, tuple[str, str]] = {
    # The way in which a record is broken: stage and category of its dead letter.
    MALFORMED: ("parse", "malformed"),
    NOT_UTF8: ("parse", "invalid_utf8"),
    UNKNOWN: ("route", "no_route"),
    UNTYPED: ("route", "no_route"),
    SCHEMA: ("validate", "schema"),
    CAST: ("map", "mapping"),
    CHECK: ("write", "constraint"),
    NEVER: ("write", "foreign_key"),
}

WITHOUT_A_TABLE = (MALFORMED, NOT_UTF8, UNKNOWN, UNTYPED)
"""These fail before a route has said which table they belong to."""

REFUSED_BY_THE_DATABASE = (CHECK, NEVER)
"""These have no table as their sink that would refuse them, so they become objects."""

RECENT, ORDERS = 4_000, 500
"""How many recent records may be repeated, and how many orders of a partition may get lines."""

START = datetime(2026, 1, 1, tzinfo=UTC)
T = TypeVar("T")
_SCRAMBLE, _PRIME = 7_919, 1_000_000_007


@dataclass(frozen=True, slots=True)
class Plan:
    """What determines every record.

    Attributes:
        records: Their number.
        partitions: Of the topic.
        seed: Of the random numbers.
        broken: The share of broken records.
        repeated: The share of exact copies of recent records.
        late: The share of lines that come before their order.
        keys: The number of customers, of articles in stock and of shipments.
        reach: A late line's order is at most this number of records away.
    """

    records: int
    partitions: int = 4
    seed: int = 1
    broken: float = 0.01
    repeated: float = 0.02
    late: float = 0.0005
    keys: int = 20_000
    reach: int = 2_000


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it is produced.

    Attributes:
        partition: The partition that it goes to.
        event: Its type; empty if it has none that is ours or cannot be read.
        kind: ``GOOD``, ``LATE``, or one of ``BROKEN``.
        raw: Its bytes.
        row: Its values, as its mapping leaves them; empty if it has none.
    """

    partition: int
    event: str
    kind: str
    raw: bytes
    row: Mapping[str, Any]


def records(plan: Plan) -> Iterator[Record]:
    """All records, in the order in which they are produced."""
    maker = _Maker(plan)
    later: list[tuple[int, int, Record]] = []
    for sent in range(plan.records):
        # Every order that is due comes before the end, so that no line waits for it in vain.
        if later and (later[0][0] <= sent or plan.records - sent <= len(later)):
            yield heapq.heappop(later)[2]
            continue
        record, order = maker.next(allow_late=plan.records - sent > len(later) + 1)
        if order is not None:
            due = sent + maker.rng.randint(plan.reach // 8, plan.reach)
            heapq.heappush(later, (due, sent, order))
        yield record


class _Maker:
    """Makes the records one after the other."""

    def __init__(self, plan: Plan) -> None:
        self.rng = random.Random(plan.seed)
        self._plan = plan
        self._number = 0
        self._broken = 0
        self._ways = tuple(BROKEN)
        self._recent: list[Record] = []
        self._orders: list[list[tuple[str, int]]] = [[] for _ in range(plan.partitions)]
        self._values: Mapping[str, Callable[[], dict[str, Any]]] = {
            "order.created": self._order,
            "order.line": self._line,
            "payment.taken": self._payment,
            "refund.made": self._refund,
            "customer.changed": self._customer,
            "stock.counted": self._stock,
            "page.viewed": self._view,
            "login.tried": self._login,
            "shipment.moved": self._shipment,
            "review.written": self._review,
        }

    def next(self, *, allow_late: bool) -> tuple[Record, Record | None]:
        """The next record, and the order that must come after it, if it is late."""
        draw = self.rng.random()
        plan = self._plan
        if draw < plan.broken:
            return self._broken_one(), None
        if draw < plan.broken + plan.late and allow_late:
            order = self._good(self._order(), remember=False)
            line = self._line_of(str(order.row["order_id"]), 1)
            return self._record(line, LATE, line), order
        if draw < plan.broken + plan.late + plan.repeated and self._recent:
            return self.rng.choice(self._recent), None
        event = EVENT_TYPES[self.rng.randrange(len(EVENT_TYPES))].event
        return self._good(self._values[event]()), None

    def _good(self, value: dict[str, Any], *, remember: bool = True) -> Record:
        record = self._record(value, GOOD, value)
        if remember:
            if value["type"] == "order.created":
                self._remember_order(record.partition, value["order_id"])
            _keep(self._recent, record, RECENT, self.rng)
        return record

    def _broken_one(self) -> Record:
        kind = self._ways[self._broken % len(self._ways)]
        self._broken += 1
        if kind in WITHOUT_A_TABLE:
            return self._without_a_table(kind)
        if kind == CAST:
            value = {**self._payment(), "amount": "twelve"}
        elif kind == CHECK:
            value = {**self._stock(), "sku": self._id("article"), "on_hand": -1}
        elif kind == NEVER:
            value = self._line_of(self._id("nobody"), 1)
        else:
            value = self._against_the_schema()
        return self._record(value, kind, value if kind in REFUSED_BY_THE_DATABASE else {})

    def _without_a_table(self, kind: str) -> Record:
        value = self._payment()
        if kind == UNKNOWN:
            value["type"] = "payment.unheard-of"
        if kind == UNTYPED:
            del value["type"]
        raw = orjson.dumps(value)
        if kind == MALFORMED:
            raw = raw[: -self.rng.randint(1, 20)]
        if kind == NOT_UTF8:
            raw = raw.replace(b'"id":"', b'"id":"\xff\xfe')
        return Record(self._partition(value["id"]), "", kind, raw, {})

    def _against_the_schema(self) -> dict[str, Any]:
        turn = self._broken // len(self._ways) % 3
        if turn == 0:
            return {**self._order(), "total": "much"}
        if turn == 1:
            return {**self._line_of(self._id("nobody"), 1), "surprise": 1}
        value = {**self._shipment(), "shipment_id": self._id("shipment")}
        del value["status"]
        return value

    def _record(self, value: dict[str, Any], kind: str, row: Mapping[str, Any]) -> Record:
        event = value["type"]
        if row and event == "payment.taken":
            row = {**row, "payment_id": value["id"], "amount": float(value["amount"])}
        partition = self._partition(str(value[_KEYS[event]]))
        return Record(partition, event, kind, orjson.dumps(value), row)

    def _partition(self, key: str) -> int:
        return zlib.crc32(key.encode()) % self._plan.partitions

    def _remember_order(self, partition: int, order: str) -> None:
        _keep(self._orders[partition], (order, 0), ORDERS, self.rng)

    def _id(self, prefix: str) -> str:
        return f"{prefix}-{self.rng.getrandbits(64):016x}"

    def _one_of(self, prefix: str) -> str:
        return f"{prefix}-{self.rng.randrange(self._plan.keys)}"

    def _value(self, event: str, **fields: Any) -> dict[str, Any]:
        self._number += 1
        return {"type": event, "n": self._number, **fields}

    def _version(self) -> int:
        """A number that no other record has, in no order."""
        return (self._number + 1) * _SCRAMBLE * _SCRAMBLE % _PRIME

    def _cents(self) -> float:
        return self.rng.randrange(1, 10_000_000) / 100

    def _instant(self, seconds: int) -> str:
        return (START + timedelta(seconds=seconds)).isoformat()

    def _order(self) -> dict[str, Any]:
        placed, customer = self._instant(self._number), self._one_of("customer")
        identity, total = self._id("order"), self._cents()
        return self._value(
            "order.created", order_id=identity, customer=customer, total=total, placed_at=placed
        )

    def _line(self) -> dict[str, Any]:
        orders = self._orders[self.rng.randrange(self._plan.partitions)]
        if not orders:
            return self._order()
        index = self.rng.randrange(len(orders))
        order, lines = orders[index]
        orders[index] = order, lines + 1
        return self._line_of(order, lines + 1)

    def _line_of(self, order: str, line: int) -> dict[str, Any]:
        sku, quantity = self._one_of("article"), self.rng.randint(1, 99)
        return self._value("order.line", order_id=order, line=line, sku=sku, quantity=quantity)

    def _payment(self) -> dict[str, Any]:
        amount, paid = f"{self._cents():.2f}", self._instant(self._number)
        return self._value("payment.taken", id=self._id("payment"), amount=amount, paid_at=paid)

    def _refund(self) -> dict[str, Any]:
        reason = self.rng.choice(("", "broken", 'a "quoted" \\ \t reason', "größer als 😀"))
        identity = self._one_of("refund")
        return self._value("refund.made", refund_id=identity, amount=self._cents(), reason=reason)

    def _customer(self) -> dict[str, Any]:
        identity, name = self._one_of("customer"), self._id("name")
        return self._value(
            "customer.changed", customer_id=identity, name=name, email=f"{name}@example.org"
        )

    def _stock(self) -> dict[str, Any]:
        sku, warehouse = self._one_of("article"), f"w{self.rng.randrange(3)}"
        version, on_hand = self._version(), self.rng.randrange(1_000)
        return self._value(
            "stock.counted", sku=sku, warehouse=warehouse, version=version, on_hand=on_hand
        )

    def _view(self) -> dict[str, Any]:
        extra = {"referrer": self._id("page")} if self.rng.random() < 0.5 else {}
        url = f"https://example.org/{self._one_of('page')}?a=1&b=%20"
        return self._value("page.viewed", view_id=self._id("view"), url=url, **extra)

    def _login(self) -> dict[str, Any]:
        succeeded = self.rng.random() < 0.9
        identity = self._id("login")
        return self._value("login.tried", login_id=identity, succeeded=succeeded, agent="browser")

    def _shipment(self) -> dict[str, Any]:
        identity, moved = self._one_of("shipment"), self._instant(self._version())
        status = self.rng.choice(("packed", "sent", "arrived"))
        return self._value("shipment.moved", shipment_id=identity, status=status, moved_at=moved)

    def _review(self) -> dict[str, Any]:
        body = self.rng.choice(("", "good", "line one\nline two", "日本"))
        return self._value("review.written", stars=self.rng.randint(1, 5), body=body)


_KEYS: Mapping[str, str] = {
    # The field that chooses the partition: lines are where their order is.
    **{kind.event: kind.key[0] for kind in EVENT_TYPES},
    "payment.taken": "id",
    "review.written": "n",
}
assert _KEYS.keys() == BY_EVENT.keys()


def _keep(pool: list[T], one: T, most: int, rng: random.Random) -> None:
    """Add ``one``, in the place of another if the pool is full."""
    if len(pool) < most:
        pool.append(one)
    else:
        pool[rng.randrange(most)] = one
