from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from transforms.parse.protobuf.text import parsed
from transforms.parse.registry.schema import Unusable

HEAD = 'syntax = "proto3"; package p; '


def test_fields_and_their_labels() -> None:
    text = HEAD + (
        "message M { int32 a = 1; optional string b = 2; repeated Other c = 3; "
        "oneof d { bytes e = 4; } map<string, bool> f_g = 5; }"
    )
    (message,) = parsed("x", text).descriptor.message_type
    fields = {field.name: field for field in message.field}
    assert {name: field.number for name, field in fields.items()} == {
        "a": 1,
        "b": 2,
        "c": 3,
        "e": 4,
        "f_g": 5,
    }
    assert fields["a"].type == FieldDescriptorProto.TYPE_INT32
    assert fields["b"].proto3_optional
    assert fields["c"].type_name == "Other"
    assert fields["c"].label == FieldDescriptorProto.LABEL_REPEATED
    assert [oneof.name for oneof in message.oneof_decl] == ["d", "_b"]
    assert (fields["e"].oneof_index, fields["b"].oneof_index) == (0, 1)
    (entry,) = message.nested_type
    assert (entry.name, entry.options.map_entry) == ("FGEntry", True)


def test_entries_of_maps_stand_behind_the_messages_of_the_text() -> None:
    text = HEAD + "message M { map<string, A> a = 1; message A {} }"
    (message,) = parsed("x", text).descriptor.message_type
    assert [nested.name for nested in message.nested_type] == ["A", "AEntry"]


def test_proto2_with_a_group_extensions_and_defaults() -> None:
    text = (
        "message M { required int32 a = 1 [default = 7]; extensions 100 to max; "
        "optional group Result = 2 { optional string url = 3; } extend Other { optional int32 x = 4; } }"
    )
    file = parsed("x", text).descriptor
    assert file.syntax == "proto2"
    (message,) = file.message_type
    assert [field.name for field in message.field] == ["a", "result"]
    assert message.field[1].type == FieldDescriptorProto.TYPE_GROUP
    assert message.nested_type[0].field[0].name == "url"


def test_names_that_are_words_of_the_language() -> None:
    text = HEAD + (
        "message M { string message = 1; int32 option = 2; bool optional = 3; "
        "enum E { reserved = 0; option = 1; } string map = 4; repeated string repeated = 5; }"
    )
    (message,) = parsed("x", text).descriptor.message_type
    names = [field.name for field in message.field]
    assert names == ["message", "option", "optional", "map", "repeated"]
    assert [value.name for value in message.enum_type[0].value] == ["reserved", "option"]


def test_comments_are_kept_by_name() -> None:
    text = (
        HEAD
        + "/* An order. */ message M { // Its number.\n int32 a = 1; message N {\n// b\nN n = 1; } }"
    )
    assert parsed("x", text).comments == {"M": "An order.", "M.a": "Its number.", "M.N.n": "b"}


@pytest.mark.parametrize(
    "text",
    [
        *(
            'syntax = "proto4";',
            'edition = "2023";',
            "message",
            "message M {",
            "message M { int32 }",
        ),
        *("message M { int32 a = x; }", "nonsense", "enum E { A }", "import 7;"),
        "message M { message M { " * 100,
    ],
)
def test_what_is_no_schema(text: str) -> None:
    with pytest.raises(Unusable):
        parsed("x", text)
