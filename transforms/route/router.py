"""Gives every record its table, and shapes it for that. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from transforms.batch.record import Failure, RecordBatch
from transforms.errors import Reject
from transforms.mapping.field import shown
from transforms.mapping.objects import ABSENT
from transforms.route.branches import STAGE, branched, lost, map_step_of, route_ahead
from transforms.route.conditions.columns import Columns
from transforms.route.conditions.condition import Subject
from transforms.route.plan import Matches, Numbers, Plan
from transforms.route.routes import Routes
from transforms.route.shaping import Cells, Shape, merged, part_of
from transforms.route.table_name import TableName
from transforms.route.table_template import CATEGORY, TableTemplate, has_fields

MOST_PLANS = 100
"""For so many sources a router remembers how their records are matched."""

_DEFAULT_STEP = "Default/map"


class Router:
    """Routes batches, one at a time. It may hold secrets, and is not pickled.

    Args:
        routes: The routes.
        home: The label of the pipeline's own table.
        default_schema: Tables of it have labels without it; empty if there is none.
        run: What ``@run`` stands for in mappings.
        now: What ``@now`` stands for in them; None for the time at which a batch is mapped.

    Raises:
        ConfigError: A secret cannot be resolved.
    """

    def __init__(
        self,
        routes: Routes,
        home: str,
        default_schema: str = "",
        run: str = "",
        now: datetime | None = None,
    ) -> None:
        self._home = home
        self._default = None if routes.default is None else len(routes.routes)
        self._names = [route.name for route in routes.routes]
        self._conditions = routes.conditions()
        self._hidden = bool(routes.hidden())
        self._labels: list[str] = []
        self._templates: dict[int, TableTemplate] = {}
        self._shapes: dict[int, Shape] = {}
        for number, route in enumerate(routes.all):
            step = _DEFAULT_STEP if number == self._default else map_step_of(route.name)
            if route.mapping is not None or route.schema is not None:
                self._shapes[number] = Shape(route, step, run, now)
            if has_fields(route.table):
                self._labels.append("")
                self._templates[number] = TableTemplate(
                    *(route.table, route.tables, route.pattern, default_schema),
                    hidden=self._hidden,
                )
            else:
                self._labels.append(TableName.parse(route.table).label(default_schema))
        self._plans: dict[tuple[str, str], Plan] = {}

    def __reduce__(self) -> Any:
        raise TypeError("a Router may hold secrets and is not pickled")

    def route(self, batch: RecordBatch) -> RecordBatch:
        """``batch`` with a target for each record; what goes nowhere is among its failures.

        Raises:
            ValueError: The batch has no values: it has not been parsed.
        """
        if batch.values is None:
            raise ValueError("AssignRoutes needs parsed records: put Parse before it")
        matches = self._matches(batch)
        if not matches.refused and not _are_special(batch, self._home):
            simple = self._simple(batch, matches)
            if simple is not None:
                return simple
        batch, numbers = self._branched(batch, matches)
        batch, numbers = self._named(batch, numbers)
        return self._shaped(batch, numbers)

    def _matches(self, batch: RecordBatch) -> Matches:
        try:
            plan = self._plan(batch)
        except Reject as error:  # the path of the source cannot be matched, whatever the record
            count = len(batch.raws)
            return Matches([0] * count, [()], dict.fromkeys(range(count), error))
        return plan.matches(batch)

    def _plan(self, batch: RecordBatch) -> Plan:
        """How records of the source of ``batch`` are matched."""
        key = batch.span.source, batch.format.name
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            plan = Plan(self._conditions, self._names, batch, hidden=self._hidden)
            self._plans[key] = plan
        return plan

    def _simple(self, batch: RecordBatch, matches: Matches) -> RecordBatch | None:
        """``batch`` where every record goes to one table of a certain name; None if not so."""
        labels = [""] * len(matches.routes)
        shapes = False
        numbers = [0] * len(matches.routes)
        for code in set(matches.codes):
            to = self._sent_to(matches.routes[code])
            if len(to) != 1 or to[0] in self._templates:
                return None
            numbers[code] = to[0]
            labels[code] = self._labels[to[0]]
            shapes = shapes or to[0] in self._shapes
        routed = replace(batch, targets=[labels[code] for code in matches.codes])
        return self._shaped(routed, [numbers[code] for code in matches.codes]) if shapes else routed

    def _sent_to(self, numbers: Numbers) -> Numbers:
        if numbers or self._default is None:
            return numbers
        return (self._default,)

    def _branched(self, batch: RecordBatch, matches: Matches) -> tuple[RecordBatch, list[int]]:
        """Each record once for each route that it goes to, and the number of the route of each."""
        routes = [self._sent_to(numbers) for numbers in matches.routes]
        codes = list(matches.codes)
        failures: list[Failure] = []
        nowhere = len(routes)
        routes.append(())
        jobs = _are_special(batch, self._home)
        all_go = not jobs and not matches.refused and all(routes[code] for code in set(codes))
        for index, code in () if all_go else enumerate(codes):
            error: Reject | None = matches.refused.get(index)
            if error is None and jobs:
                to = self._of_job(batch, index, routes[code])
                if to is None:
                    failures.append(lost(batch, index, route_ahead(batch, index) or ""))
                    codes[index] = nowhere
                    continue
                if to != routes[code]:
                    codes[index] = code = len(routes)
                    routes.append(to)
            if error is None and not routes[code]:
                error = self._nowhere(matches, index)
            if error is not None:
                failures.append(Failure.of(batch.record(index), STAGE, error.category, error))
                codes[index] = nowhere
        names = [*self._names, ""]
        return branched(batch, codes, routes, names, failures)

    def _nowhere(self, matches: Matches, index: int) -> Reject:
        """Why a record goes nowhere, with the value that most routes look at."""
        what = ""
        if matches.looked_at is not None and not self._hidden:
            name, column = matches.looked_at
            value = column[index]
            is_ = "is not there" if value is ABSENT else f"is {_shown(value)}"
            what = f" ({name} {is_})"
        return Reject(
            f"the record meets the condition of no route{what}, and there is no default", CATEGORY
        )

    def _of_job(self, batch: RecordBatch, index: int, routes: Numbers) -> Numbers | None:
        """Where a job goes of those routes that a fresh record would go to; None: it has lost its."""
        name = route_ahead(batch, index)
        if name is not None:
            to = tuple(number for number in routes if self._name(number) == name)
            return to or None
        target = "" if batch.claim is None else batch.claim.target
        if target in ("", self._home):
            return routes
        return tuple(n for n in routes if self._may_name(n, batch, index, target)) or routes

    def _name(self, number: int) -> str:
        return "" if number == self._default else self._names[number]

    def _may_name(self, number: int, batch: RecordBatch, index: int, target: str) -> bool:
        """Whether a route sends a record to the table ``target``."""
        template = self._templates.get(number)
        if template is None:
            return self._labels[number] == target
        columns = Columns(part_of(batch, [index]))
        values = tuple(columns.of(Subject("field", "", steps))[0] for steps in template.fields)
        try:
            return template.label(values) == target
        except Reject:
            return False

    def _named(self, batch: RecordBatch, numbers: list[int]) -> tuple[RecordBatch, list[int]]:
        """``batch`` with targets, without the records whose tables are not allowed."""
        labels = self._labels
        targets = [labels[number] for number in numbers]
        failures: list[Failure] = []
        gone: set[int] = set()
        columns = Columns(batch)
        for number in set(numbers) & self._templates.keys():
            template = self._templates[number]
            fields = [columns.of(Subject("field", "", steps)) for steps in template.fields]
            for row, values in enumerate(zip(*fields, strict=True)):
                if numbers[row] != number:
                    continue
                try:
                    targets[row] = template.label(values)
                except Reject as error:
                    gone.add(row)
                    record = batch.record(row)
                    failures.append(Failure.of(record, STAGE, error.category, error))
        batch = replace(batch, targets=targets)
        if not gone:
            return batch, numbers
        good = [row for row in range(len(targets)) if row not in gone]
        held = batch.values or ()
        kept = batch.keep(good, [held[row] for row in good], failures)
        return kept, [numbers[row] for row in good]

    def _shaped(self, batch: RecordBatch, numbers: Sequence[int]) -> RecordBatch:
        """``batch`` after the mappings and schemas of its routes."""
        rows: dict[tuple[int, str], list[int]] = defaultdict(list)
        targets = batch.targets or ()
        for row, key in enumerate(zip(numbers, targets, strict=True)):
            if key[0] in self._shapes:
                rows[key].append(row)
        if not rows:
            return batch
        parts: list[tuple[Sequence[int], RecordBatch]] = []
        cells: dict[str, Cells] = {}
        for (number, target), some in rows.items():
            label = None if target == self._home else target
            part = self._shapes[number].shaped(part_of(batch, some), label)
            if part.cells is not batch.cells:
                cells[target] = (
                    _agreed(cells[target], part.cells) if target in cells else part.cells
                )
            parts.append((some, part))
        batch = merged(batch, parts)
        return replace(batch, routed_cells=cells) if cells else batch


def _shown(value: Any) -> str:
    return "null" if value is None else shown(value)


def _are_special(batch: RecordBatch, home: str) -> bool:
    """Whether the records are jobs that may not go wherever fresh records go."""
    if batch.ahead is not None:
        return True
    return batch.claim is not None and batch.claim.target not in ("", home)


def _agreed(one: Cells, other: Cells) -> Cells:
    """The cells of a table with several routes: those that are the same for all."""
    return dict((one or {}).items() & (other or {}).items())
