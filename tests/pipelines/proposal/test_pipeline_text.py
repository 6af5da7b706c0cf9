from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pipelines.proposal.pipeline_text import text_of
from tests.pipelines.proposal.test_draft import draft
from transforms.batch.record import Failure, Format, Origin
from transforms.mapping.reading.document import parsed

ROWS = 30


def read(text: str) -> Any:
    return parsed(text, "orders.yaml").plain


def test_it_says_what_it_proposes_and_why() -> None:
    proposal = draft(
        {
            "order_id": list(range(ROWS)),
            "Customer": [f"c{n}" for n in range(ROWS)],
            "updated_at": ["2026-01-02T03:04:05Z"] * ROWS,
            "note": ["x", None] * (ROWS // 2),
        }
    )
    text = text_of(proposal, "orders.yaml")
    assert read(text) == {
        "pipeline": "orders",
        "source": "./orders.jsonl",
        "sink": "sqlite:///orders.db",
        "table": "orders",
        "key": "order_id",
        "schema": {
            "type": "object",
            "required": ["order_id", "Customer", "updated_at", "note"],
            "properties": {
                "order_id": {"type": "integer"},
                "Customer": {"type": "string"},
                "updated_at": {"type": "string", "format": "date-time"},
                "note": {"type": ["string", "null"]},
            },
        },
    }
    for line in (
        "#   sluice validate orders.yaml  # says what is wrong with this file",
        "# Detected, as each run does anew: format jsonl.",
        "key: order_id  # differs in all 30 records and is never empty",
        "# key: Customer  # differs in all 30 records as well",
        "# on_conflict: newest:updated_at  # the newer record of a key takes the place of the older one",
        "#   - rename: {Customer: customer}  # names that need no quotes in SQL; use them below, too",
        '    note: {type: [string, "null"]}  # 15 of 30 are text of up to 1 character, 15 null',
    ):
        assert line in text.splitlines()


def test_every_comment_that_offers_something_is_valid_once_it_is_none() -> None:
    csv = Format("csv", ("id", "Price", "created_at", "n", "ok"))
    proposal = draft(
        {
            "id": ["1", "2"],
            "Price": ["1,5", "2"],
            "created_at": ["1767225600", "1767225601"],
            "n": ["NA", "7"],
            "ok": ["yes", "no"],
        },
        csv,
    )
    offers = {"csv_null:", "epoch:", "on_conflict:", "map:", "  - "}
    text = "".join(
        line.removeprefix("# ") + "\n"
        if any(line.startswith(f"# {offer}") for offer in offers)
        else line + "\n"
        for line in text_of(proposal, "a.yaml").splitlines()
    )
    said = read(text)
    assert said["csv_null"] == ["NA"]
    assert said["epoch"] == {"created_at": "s"}
    assert said["on_conflict"] == "update"
    assert [next(iter(operation)) for operation in said["map"]] == ["rename", "cast", "cast"]


def test_what_must_be_renamed_or_made_text_is_done_by_the_mapping() -> None:
    said = read(text_of(draft({"id": [1, 2], "ID": ["x", 7]}), ""))
    assert said["map"] == [{"rename": {"ID": "id_2"}}, {"cast": {"id_2": "text"}}]
    assert said["schema"]["properties"]["id_2"] == {"type": "string"}


def test_options_stand_below_the_source_with_their_reason() -> None:
    options = {"csv_header": False, "kafka_config": {"sasl.password": "${env:PW}"}}
    proposal = draft({"id": [1]}, options=options, remarks={"csv_header": "because"})
    text = text_of(proposal, "")
    assert "csv_header: false  # because\n" in text
    assert read(text)["kafka_config"] == {"sasl.password": "${env:PW}"}


def test_a_schema_in_another_file_is_named() -> None:
    assert read(text_of(draft({"id": [1]}), "", "./o.json"))["schema"] == "./o.json"


def test_whole_records_have_no_schema() -> None:
    proposal = draft({f"a{n}": [n] for n in range(501)})
    text = text_of(proposal, "")
    assert "schema" not in read(text)
    assert "# record is kept whole, as JSON, in the column payload." in text
    assert "# No key is proposed: each record is one row, told apart by where it came from." in text


def test_records_that_cannot_be_read_are_counted_without_their_content() -> None:
    proposal = draft({"id": [1]})
    origin = Origin("kafka://t", "0", 7)
    proposal.sample.example = Failure(
        *(origin, b"secret \x1b", Format("csv"), "parse", "invalid_utf8", "Reject"),
        message="secret",
        stack="",
    )
    proposal.sample.refused = Counter({"invalid_utf8": 1_200, "malformed": 34})
    text = text_of(proposal, "")
    assert (
        "# 1,234 more of the sample cannot be read (1,200 invalid_utf8, 34 malformed), so each is a "
        "dead letter; the first: offset 7 of t\n" in text
    )
    assert "# encoding: cp1252  # " in text
    assert "secret" not in text


def test_keys_of_messages_are_mentioned() -> None:
    proposal = draft({"id": [1]})
    proposal.sample.survey.messages, proposal.sample.survey.keyed = 1_000, 999
    assert "# 999 of 1,000 messages have a key, which no field shows" in text_of(proposal, "")


@pytest.mark.parametrize("name", ["a\nb: c", "\x1b[2J", "\u202e", "# x", '"', "yes"])
def test_no_name_leaves_its_line(name: str) -> None:
    proposal = draft({name: [1, "x"], "id": [1, 2]}, table=name, pipeline=name)
    text = text_of(proposal, f"{name}.yaml")
    said = read(text)
    assert (said["table"], set(said)) == (
        name,
        {"pipeline", "source", "sink", "table", "key", "map", "schema"},
    )
    assert all(line.isprintable() for line in text.splitlines())


def test_three_decimals_throughout_are_asked_about() -> None:
    csv = Format("csv", ("weight",))
    assert "# All numbers of weight have three decimals" in text_of(
        draft({"weight": ["1.500", "2.250"]}, csv), ""
    )
