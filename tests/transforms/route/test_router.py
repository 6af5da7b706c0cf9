from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from tests.transforms.mapping.mapped import SPAN, batch_of, csv_batch
from transforms.batch.expansion import Branch, Expansion
from transforms.batch.record import Attempt, Claim, RecordBatch
from transforms.mapping.mapping import Mapping
from transforms.route.route import Route
from transforms.route.router import Router
from transforms.route.routes import Routes
from transforms.route.table_name import UNROUTED

NUMBER = '{"required": ["n"], "properties": {"n": {"type": "integer"}}}'


def route(table: str, is_: str | None = None, **more: Any) -> Route:
    when = {"field": "type", "is": is_} if is_ else {}
    return Route(table, when, **more)


ORDERS, USERS = route("app.orders", "order"), route("public.users", "user")


def routed(
    batch: RecordBatch,
    *routes: Route,
    default: Route | None = None,
    home: str = UNROUTED,
) -> RecordBatch:
    return router(*routes, default=default, home=home).route(batch)


def router(*routes: Route, default: Route | None = None, home: str = UNROUTED) -> Router:
    return Router(Routes(routes, default), home, "public", run="run-1")


def of_type(*types: Any) -> RecordBatch:
    return batch_of([{"type": type_, "n": number} for number, type_ in enumerate(types)])


def places(batch: RecordBatch) -> list[tuple[int, str]]:
    return list(zip(batch.offsets, batch.targets or (), strict=True))


class TestFreshRecords:
    def test_each_record_gets_the_label_of_its_table(self) -> None:
        batch = routed(of_type("user", "order", "user"), ORDERS, USERS)
        assert batch.targets == ["users", "app.orders", "users"]
        assert batch.expansions is None

    def test_every_route_whose_condition_holds_gets_the_record(self) -> None:
        batch = routed(of_type("user", "order"), ORDERS, USERS, route("archive"))
        assert places(batch) == [(0, "users"), (0, "archive"), (1, "app.orders"), (1, "archive")]
        assert (batch.read, batch.expanded) == (4, 2)
        assert batch.expansions is not None
        assert batch.expansions[0] == (Branch(0, 2, "Route/public.users"),)

    def test_the_order_of_routes_decides_nothing_but_numbers(self) -> None:
        routes = [ORDERS, USERS, route("archive")]
        one, other = (routed(of_type("user", "order"), *some) for some in (routes, routes[::-1]))
        assert sorted(places(one)) == sorted(places(other))

    def test_what_no_route_gets_is_dead(self) -> None:
        batch = routed(of_type("order", "x", None), ORDERS)
        assert batch.targets == ["app.orders"]
        assert {(f.stage, f.category, f.target) for f in batch.failures} == {
            ("route", "no_route", None)
        }
        assert [failure.origin.offset for failure in batch.failures] == [1, 2]
        assert batch.read == 3

    def test_the_message_says_what_most_routes_look_at(self) -> None:
        batch = routed(of_type("x", None, {}), ORDERS, Route("big", "n > `5`"))
        says = [failure.message.partition("no route ")[2] for failure in batch.failures]
        assert says == [
            "(type is 'x'), and there is no default",
            "(type is null), and there is no default",
            "(type is an object), and there is no default",
        ]
        hiding = replace(ORDERS, mapping=Mapping.of([{"hash": ["type"]}]))
        (failure,) = routed(of_type("s3cret"), hiding).failures
        assert "s3cret" not in failure.message
        headers = routed(of_type("x"), Route("a", {"header": "kind", "is": "a"}))
        assert "(header kind is not there)" in headers.failures[0].message

    def test_what_no_route_gets_goes_to_the_default(self) -> None:
        batch = routed(of_type("order", "x"), ORDERS, default=Route("rest"), home="rest")
        assert batch.targets == ["app.orders", "rest"]
        assert not batch.failures

    def test_a_condition_that_cannot_be_evaluated_kills_its_record_alone(self) -> None:
        batch = batch_of([{"a": 6}, {"a": "text"}])
        batch = routed(batch, Route("big", "a > `5`"), route("all"))
        assert places(batch) == [(0, "big"), (0, "all")]
        (failure,) = batch.failures
        assert (failure.stage, failure.category, failure.target) == ("route", "condition", None)

    def test_an_empty_batch_is_routed(self) -> None:
        assert routed(of_type(), ORDERS).targets == []

    def test_records_must_be_parsed(self) -> None:
        with pytest.raises(ValueError, match="put Parse before it"):
            routed(replace(of_type("order"), values=None), ORDERS)

    def test_sources_are_told_apart(self) -> None:
        router = Router(
            Routes([Route("a", {"source": "a.jsonl"}), Route("b", {"topic": "b"})]), "h"
        )
        for source, table in (("s3://x/a.jsonl", "a"), ("kafka://b", "b"), ("s3://y/a.jsonl", "a")):
            batch = replace(of_type("x"), span=replace(SPAN, source=source))
            assert router.route(batch).targets == [table]

    def test_a_router_is_not_pickled(self) -> None:
        with pytest.raises(TypeError, match="secrets"):
            pickle.dumps(Router(Routes([ORDERS]), "h"))


class TestTablesFromRecords:
    LOG = Route("log.${type}", tables=("a", "b"))

    def test_the_record_names_its_table(self) -> None:
        batch = routed(of_type("a", "b", "c", None), self.LOG)
        assert batch.targets == ["log.a", "log.b"]
        assert [(f.category, f.target) for f in batch.failures] == [("no_route", None)] * 2
        assert "'log.c' is not allowed" in batch.failures[0].message
        assert "type is null" in batch.failures[1].message

    def test_one_of_several_without_a_table_is_a_failure_of_its_own(self) -> None:
        batch = routed(of_type("a", "c"), self.LOG, route("archive"))
        assert places(batch) == [(0, "log.a"), (0, "archive"), (1, "archive")]
        (failure,) = batch.failures
        assert failure.origin.expansion == (Branch(0, 2, "Route/log.${type}"),)
        assert (batch.read, batch.expanded) == (4, 2)

    def test_no_message_shows_a_name_if_fields_are_hidden(self) -> None:
        hiding = replace(self.LOG, mapping=Mapping.of([{"hash": ["type"]}]))
        (failure,) = routed(of_type("s3cret"), hiding).failures
        assert "s3cret" not in failure.message + failure.stack


class TestShapes:
    MAPPED = replace(ORDERS, mapping=Mapping.of([{"cast": {"n": "integer"}}, {"drop": ["type"]}]))
    CHECKED = replace(USERS, schema=NUMBER)
    ROUTER = router(MAPPED, CHECKED, route("archive", "user"))

    def test_each_table_has_its_own(self) -> None:
        batch = batch_of([{"type": "order", "n": "7"}, {"type": "user", "n": 1}])
        result = routed(batch, self.MAPPED, self.CHECKED)
        assert result.values == [{"n": 7}, {"type": "user", "n": 1}]

    def test_a_failure_is_of_the_table_and_leaves_the_other_rows_alone(self) -> None:
        batch = batch_of([{"type": "order", "n": "x"}, {"type": "user"}, {"type": "order", "n": 1}])
        result = routed(batch, self.MAPPED, self.CHECKED, route("archive"))
        assert places(result) == [(0, "archive"), (1, "archive"), (2, "app.orders"), (2, "archive")]
        failures = [(f.origin.offset, f.stage, f.target) for f in result.failures]
        assert failures == [(0, "map", "app.orders"), (1, "validate", "users")]
        assert (result.read, result.expanded) == (6, 3)

    def test_a_failure_of_the_home_table_has_no_target(self) -> None:
        home = Route("home", schema=NUMBER)
        (failure,) = routed(of_type("x"), ORDERS, default=home, home="home").failures or [None] * 1
        assert failure is None
        result = routed(batch_of([{"n": "x"}]), ORDERS, default=home, home="home")
        assert [(f.stage, f.target) for f in result.failures] == [("validate", None)]

    def test_what_a_mapping_filters_is_filtered_for_its_table_alone(self) -> None:
        some = replace(ORDERS, mapping=Mapping.of([{"filter": "n > `0`"}]))
        result = routed(of_type("order", "order"), some, route("archive"))
        assert places(result) == [(0, "archive"), (1, "app.orders"), (1, "archive")]
        assert (result.filtered, result.read, result.expanded) == ((0,), 4, 2)

    def test_a_mapping_may_make_several_of_one(self) -> None:
        lines = replace(ORDERS, name="lines", mapping=Mapping.of([{"unnest": "lines"}]))
        batch = batch_of([{"type": "order", "lines": [1, 2]}, {"type": "user"}])
        result = routed(batch, lines, ORDERS, USERS)
        assert places(result) == [
            *((0, "app.orders"), (0, "app.orders"), (0, "app.orders"), (1, "users"))
        ]
        assert result.expansions is not None
        assert [len(expansion) for expansion in result.expansions] == [2, 2, 1, 0]

    def test_cells_of_csv_are_known_by_table(self) -> None:
        batch = csv_batch('order,""', "user,", columns=["type", "T"])
        renamed = replace(
            ORDERS,
            mapping=Mapping.of([{"rename": {"T": "t"}}]),
            schema='{"properties": {"t": {"type": ["string", "null"]}}}',
        )
        result = routed(batch, renamed, USERS)
        assert result.routed_cells == {"app.orders": {"type": "type", "t": "T"}}
        assert result.cells is None
        assert result.values == [{"type": "order", "t": ""}, {"type": "user", "T": ""}]

    def test_cells_of_two_routes_to_one_table_are_those_that_agree(self) -> None:
        batch = csv_batch("order,1,2", "user,1,2", columns=["type", "a", "b"])
        to = Mapping.of([{"rename": {"a": "x"}}]), Mapping.of([{"rename": {"b": "x", "a": "y"}}])
        one = replace(ORDERS, mapping=to[0])
        other = replace(USERS, table="app.orders", mapping=to[1])
        result = routed(batch, one, other)
        assert result.routed_cells == {"app.orders": {"type": "type"}}

    @drawn(st.lists(st.tuples(st.sampled_from(["order", "user", "x"]), st.sampled_from([1, "x"]))))
    def test_records_are_routed_alike_alone_and_among_others(
        self, records: list[tuple[str, Any]]
    ) -> None:
        batch = batch_of([{"type": type_, "n": n} for type_, n in records])
        together = self.ROUTER.route(batch)
        alone = [
            self.ROUTER.route(batch.keep([index], [value]))
            for index, value in enumerate(batch.values or ())
        ]
        assert list(together.offsets) == [offset for one in alone for offset in one.offsets]
        assert together.values == [value for one in alone for value in one.values or ()]
        assert together.targets == [target for one in alone for target in one.targets or ()]
        assert {(f.origin, f.category, f.target) for f in together.failures} == {
            (f.origin, f.category, f.target) for one in alone for f in one.failures
        }


def job(value: Any, target: str = "", expansion: Expansion = (), *further: Any) -> RecordBatch:
    """A claimed job of the table ``target``, all of whose branches are ahead."""
    values: Sequence[Any] = (value, *further)
    attempts: dict[tuple[int, int | None, Expansion], Attempt]
    attempts = {(n, None, expansion): Attempt(n, 2, 10, "run") for n in range(len(values))}
    batch = replace(batch_of(values), claim=Claim("1", attempts, "events", target))
    if not expansion:
        return batch
    return replace(
        batch, expansions=[expansion] * len(values), ahead=[len(expansion)] * len(values)
    )


class TestJobs:
    ROUTES = (ORDERS, USERS, route("archive"))
    ROUTER = router(
        replace(ORDERS, mapping=Mapping.of([{"unnest": "lines"}, {"cast": {"n": "integer"}}])),
        replace(ORDERS, name="again", schema=NUMBER),
        replace(USERS, schema=NUMBER),
        Route("log.${log}", {"field": "log", "exists": True}, tables=("user", "order")),
        Route("numbers", "n > `0`"),
        default=Route("rest", schema=NUMBER),
        home="rest",
    )

    def test_a_job_of_home_is_routed_like_a_fresh_record(self) -> None:
        for target in ("", "home"):
            batch = routed(job({"type": "order"}, target), *self.ROUTES, home="home")
            assert batch.targets == ["app.orders", "archive"]

    def test_a_job_of_a_table_writes_that_table_alone(self) -> None:
        batch = routed(job({"type": "user"}, "users"), *self.ROUTES)
        assert batch.targets == ["users"]
        assert batch.expansions is None

    def test_a_job_whose_table_gets_it_no_more_is_routed_like_a_fresh_record(self) -> None:
        batch = routed(job({"type": "order"}, "users"), *self.ROUTES)
        assert batch.targets == ["app.orders", "archive"]

    def test_a_job_of_a_table_goes_to_all_routes_of_it(self) -> None:
        debit, credit = replace(ORDERS, name="debit"), replace(ORDERS, name="credit")
        batch = routed(job({"type": "order"}, "app.orders"), debit, credit, *self.ROUTES[1:])
        assert batch.targets == ["app.orders", "app.orders"]

    def test_one_of_several_goes_to_its_own_route(self) -> None:
        debit, credit = replace(ORDERS, name="debit"), replace(ORDERS, name="credit")
        expansion = (Branch(1, 2, "Route/credit"),)
        result = routed(job({"type": "order"}, "app.orders", expansion), debit, credit)
        assert (result.targets, result.expansions, result.ahead) == (
            ["app.orders"],
            [expansion],
            None,
        )

    def test_one_of_several_stays_itself_whatever_routes_were_added(self) -> None:
        expansion = (Branch(0, 2, "Route/app.orders"),)
        result = routed(job({"type": "order"}, "app.orders", expansion), route("new"), *self.ROUTES)
        assert (result.targets, result.expansions) == (["app.orders"], [expansion])

    def test_one_of_several_without_its_route_fails_in_its_table(self) -> None:
        expansion = (Branch(0, 2, "Route/app.orders"),)
        for routes, value in (
            (self.ROUTES, {"type": "user"}),
            (self.ROUTES[1:], {"type": "order"}),
        ):
            result = routed(job(value, "app.orders", expansion), *routes)
            (failure,) = result.failures
            assert (failure.category, failure.target) == ("expansion_changed", "app.orders")
            assert failure.origin.expansion == expansion
            assert not result.raws

    def test_one_of_what_a_routes_mapping_made_goes_on_as_the_one_that_it_is(self) -> None:
        lines = replace(ORDERS, mapping=Mapping.of([{"unnest": "lines"}]))
        fresh = routed(batch_of([{"type": "order", "lines": [1, 2, 3]}]), lines, route("archive"))
        assert fresh.expansions is not None
        for number in range(3):
            again = job(
                {"type": "order", "lines": [1, 2, 3]}, "app.orders", fresh.expansions[number]
            )
            result = routed(again, lines, route("archive"))
            assert (result.values, result.ahead) == ([{"type": "order", "lines": number + 1}], None)
            assert result.expansions == [fresh.expansions[number]]

    def test_a_job_of_a_table_that_records_name_writes_that_table(self) -> None:
        log = Route("log.${type}", tables=("a", "b"))
        assert routed(job({"type": "a"}, "log.a"), log, route("archive")).targets == ["log.a"]
        moved = routed(job({"type": "b"}, "log.a"), log, route("archive"))
        assert moved.targets == ["log.b", "archive"]

    def test_jobs_of_one_claim_are_routed_each_by_itself(self) -> None:
        batch = routed(job({"type": "user"}, "users", (), {"type": "order"}, {}), *self.ROUTES)
        assert places(batch) == [(0, "users"), (1, "app.orders"), (1, "archive"), (2, "archive")]

    def test_a_job_of_the_default_goes_there_again(self) -> None:
        rest = Route("rest")
        assert routed(job({"type": "x"}, "rest"), ORDERS, default=rest).targets == ["rest"]

    @drawn(
        st.dictionaries(
            st.sampled_from(["type", "n", "lines", "log"]),
            st.sampled_from(["order", "user", 1, "x", [1, 2], [{"n": 1}, 5], [], None]),
        )
    )
    def test_each_row_and_each_failure_is_the_same_again_as_a_job(self, value: Any) -> None:
        fresh = self.ROUTER.route(batch_of([value]))
        for row, record in enumerate(fresh.records()):
            again = job(value, (fresh.targets or ())[row], record.origin.expansion)
            result = self.ROUTER.route(again)
            assert (result.values, result.targets) == ([record.value], [(fresh.targets or ())[row]])
            assert (list(result.records()), result.ahead) == ([record], None)
        for failure in fresh.failures:
            again = job(value, failure.target or "", failure.origin.expansion)
            result = self.ROUTER.route(again)
            assert result.failures == (failure,)
