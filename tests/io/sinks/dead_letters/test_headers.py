from __future__ import annotations

from importlib import import_module

import pytest

from sinks.dead_letters.headers import PREFIX, appended, error_headers, taken_names
from tests.io.sinks.dead_letters.dead_letter import failure
from transforms.batch.expansion import Branch
from transforms.batch.record import Headers, Origin


def by_name(headers: Headers) -> dict[str, str]:
    assert len({name for name, _ in headers}) == len(headers)
    return {name.removeprefix(PREFIX): (value or b"").decode() for name, value in headers}


def test_they_are_those_of_kafka_connect_in_its_order() -> None:
    headers = error_headers("public.orders", failure(), task="12")
    assert headers == (
        ("__connect.errors.topic", b"orders"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"7"),
        ("__connect.errors.connector.name", b"public.orders"),
        ("__connect.errors.task.id", b"12"),
        ("__connect.errors.stage", b"validate"),
        ("__connect.errors.class.name", b"transforms.parse.validate.Validate"),
        ("__connect.errors.exception.class.name", b"Reject"),
        ("__connect.errors.exception.message", b"id is not a string"),
        ("__connect.errors.exception.stacktrace", "Traceback: …".encode()),
    )


def test_an_object_is_the_topic_and_its_version_the_partition() -> None:
    origin = Origin("s3://bucket/a@b.jsonl", "etag@1", 4096)
    headers = by_name(error_headers("t", failure(origin=origin), task="1"))
    assert headers["topic"] == "s3://bucket/a@b.jsonl"
    assert (headers["partition"], headers["offset"]) == ("etag@1", "4096")


@pytest.mark.parametrize("stage", ["read", "parse", "validate", "write"])
def test_the_class_of_a_built_in_step_exists(stage: str) -> None:
    name = by_name(error_headers("t", failure(stage=stage), task="1"))["class.name"]
    module, _, class_ = name.rpartition(".")
    assert isinstance(getattr(import_module(module), class_), type)


def test_an_element_of_a_message_is_named_by_its_number() -> None:
    origin = Origin("kafka://orders", "3@ID", 7, element=4)
    *whole, last = error_headers("t", failure(origin=origin), task="1")
    assert last == ("__connect.errors.element", b"4")
    assert len(whole) == 10


def test_one_of_several_is_named_by_its_expansion() -> None:
    origin = Origin("kafka://orders", "3@ID", 7, 4, (Branch(2, 5, "Zeilen ä"),))
    *whole, element, last = error_headers("t", failure(origin=origin), task="1")
    assert element == ("__connect.errors.element", b"4")
    assert last == ("__connect.errors.expansion", "2/5:Zeilen ä".encode())
    assert len(whole) == 10


def test_a_step_of_the_user_is_named_by_its_label() -> None:
    headers = by_name(error_headers("t", failure(stage="Enrich"), task="1"))
    assert (headers["stage"], headers["class.name"]) == ("Enrich", "Enrich")


def test_text_that_utf8_cannot_encode_is_replaced() -> None:
    headers = by_name(error_headers("t", failure(message="a\ud800b"), task="1"))
    assert headers["exception.message"] == "a?b"


class TestOriginalHeaders:
    ORIGINAL: Headers = (("trace", b"\xff"), ("trace", None), (f"{PREFIX}topic", b"first"))

    def test_they_come_first_and_are_never_overwritten(self) -> None:
        errors = ((f"{PREFIX}topic", b"second"), (f"{PREFIX}offset", b"7"))
        assert appended(self.ORIGINAL, errors) == (*self.ORIGINAL, (f"{PREFIX}offset", b"7"))

    def test_names_that_are_taken_are_named(self) -> None:
        assert taken_names(self.ORIGINAL) == [f"{PREFIX}topic"]
        assert taken_names((("trace", b"x"),)) == []
