from __future__ import annotations

import base64
import importlib
from functools import cache
from pathlib import Path
from typing import Any

import google.rpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from transforms.parse.protobuf.descriptors import Descriptors
from transforms.parse.protobuf.text import parsed
from transforms.parse.registry.schema import Unusable

SITE = Path(google.rpc.__path__[0]).parents[1]
FOLDERS = ("api", "logging", "longrunning", "rpc", "type", "geo")
SHIPPED = sorted(
    path.relative_to(SITE).as_posix()
    for folder in FOLDERS
    for path in (SITE / "google" / folder).rglob("*.proto")
)
"""Files of googleapis, which come with what protoc has made of them."""


@cache
def texts() -> dict[str, str]:
    return {name: (SITE / name).read_text() for name in SHIPPED}


def shape(message: Any) -> Any:
    """Everything of a message that decides how it is read."""
    fields = [
        (
            *(field.name, field.number, field.type, field.is_repeated, field.has_presence),
            *(of and of.full_name for of in (field.message_type, field.enum_type)),
        )
        for field in message.fields
    ]
    enums = [
        (enum.full_name, [(v.name, v.number) for v in enum.values]) for enum in message.enum_types
    ]
    oneofs = [oneof.name for oneof in message.oneofs]
    return message.full_name, fields, enums, oneofs, sorted(map(shape, message.nested_types))


def test_there_are_files_to_compare_with() -> None:
    assert len(SHIPPED) > 30


@pytest.mark.parametrize("name", SHIPPED)
def test_a_text_means_what_protoc_has_made_of_it(name: str) -> None:
    module = importlib.import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
    others = [(other, text) for other, text in texts().items() if other != name]
    descriptors = Descriptors(texts()[name], others)
    compiled = module.DESCRIPTOR.message_types_by_name.values()
    for index, message in enumerate(compiled):
        assert shape(descriptors.message([index])) == shape(message)


TEXT = (
    'syntax = "proto3"; package p; import "none/such.proto"; import "b.proto"; '
    "message A { map<string, q.B> bs = 1; message N { message D { int32 n = 1; } } } message Z {}"
)
OTHER = 'syntax = "proto3"; package q; message B { string s = 1; }'


def test_an_index_of_a_message_does_not_count_entries_of_maps() -> None:
    descriptors = Descriptors(TEXT, [("b.proto", OTHER)])
    names = [descriptors.message(path).full_name for path in ([0], [1], [0, 0], [0, 0, 0])]
    assert names == ["p.A", "p.Z", "p.A.N", "p.A.N.D"]
    for path in ([], [2], [0, 1], [0, 2], [-1]):
        with pytest.raises(LookupError):
            descriptors.message(path)


def test_a_descriptor_in_base64_is_the_same() -> None:
    file = parsed("whatever", TEXT).descriptor
    other = base64.b64encode(parsed("else", OTHER).descriptor.SerializeToString()).decode()
    text = base64.b64encode(file.SerializeToString()).decode()
    descriptors = Descriptors(text, [("b.proto", other)])
    assert descriptors.message([0]).fields_by_name["bs"].is_repeated


def test_imports_that_go_in_a_circle_are_refused() -> None:
    a = 'syntax = "proto3"; import "b.proto"; message A { B b = 1; }'
    b = 'syntax = "proto3"; import "a.proto"; message B { A a = 1; }'
    with pytest.raises(Unusable):
        Descriptors(a, [("b.proto", b), ("a.proto", a)])


@pytest.mark.parametrize(
    "text",
    [
        "AAAA",
        base64.b64encode(b"\xff\xff\xff").decode(),
        'syntax = "proto3"; message A { Nowhere n = 1; }',
        'syntax = "proto3"; message A { int32 a = 1; int32 b = 1; }',
        'syntax = "proto3"; message A { int32 a = 0; }',
        'syntax = "proto3"; message A {} message A {}',
        FileDescriptorProto(name="x").SerializeToString().hex(),
    ],
)
def test_what_is_of_no_use(text: str) -> None:
    with pytest.raises(Unusable):
        Descriptors(text, ()).message([0])
