from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import Edition, FeatureSet, FieldDescriptorProto

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
            'edition = "1999";',
            'edition = "UNSTABLE";',
            "message",
            "message M {",
            "message M { int32 }",
        ),
        *("message M { int32 a = x; }", "nonsense", "enum E { A }", "import 7;"),
        "message M { message M { " * 100,
        *("message M { int32 a = 0; }", "message M { int32 a = 536870912; }"),
        *("message M { extensions 4 to 99999999999; }", "enum E { A = 2147483648; }"),
        'edition = "2023"; message M { int32 a = 1 [features.no_such = ON]; }',
        'edition = "2023"; option features.field_presence = SOMETIMES;',
    ],
)
def test_what_is_no_schema(text: str) -> None:
    with pytest.raises(Unusable):
        parsed("x", text)


def test_a_comment_behind_a_field_is_of_that_field() -> None:
    text = (
        HEAD
        + """message M {
      int32 a = 1;  // Of a.
      int32 b = 2;  /* Of b. */
      int32 c = 3; /* Of d. */ int32 d = 4;
      // Of e.
      int32 e = 5;  // As well.
    }  // Of nothing.
    message N {}"""
    )
    assert parsed("x", text).comments == {
        "M.a": "Of a.",
        "M.b": "Of b.",
        "M.d": "Of d.",
        "M.e": "Of e.",
    }


def test_features_of_an_edition_stand_where_they_are_set() -> None:
    text = """edition = "2023"; option features.field_presence = IMPLICIT;
    message M {
      option features = { repeated_field_encoding: EXPANDED, [pb.cpp] { string_type: CORD } };
      string a = 1 [(mine) = "x", features.utf8_validation = NONE, features.(pb.java).x = 1];
      M b = 2 [features = { message_encoding: DELIMITED }];
      map<string, string> c = 3 [features.utf8_validation = NONE];
      oneof d { option features.enum_type = OPEN; int32 e = 4; }
    }
    enum E { option features.enum_type = CLOSED; ZERO = 0 [(of.value) = { a: [1, 2] }]; }"""
    file = parsed("x", text).descriptor
    assert (file.syntax, file.edition) == ("editions", Edition.EDITION_2023)
    assert file.options.features == FeatureSet(field_presence="IMPLICIT")
    (message,) = file.message_type
    assert message.options.features == FeatureSet(repeated_field_encoding="EXPANDED")
    a, b, c, _ = message.field
    assert a.options.features == FeatureSet(utf8_validation="NONE")
    assert b.options.features == FeatureSet(message_encoding="DELIMITED")
    for part in (c, *message.nested_type[0].field):
        assert part.options.features == FeatureSet(utf8_validation="NONE")
    assert message.oneof_decl[0].options.features == FeatureSet(enum_type="OPEN")
    assert file.enum_type[0].options.features == FeatureSet(enum_type="CLOSED")


def test_words_of_newer_editions_that_say_who_may_use_what() -> None:
    text = """edition = "2024"; import option "none.proto"; import "a.proto";
    export message M { local enum E { Z = 0; } E export = 1; } local enum F { Y = 0; }"""
    file = parsed("x", text).descriptor
    assert list(file.dependency) == ["a.proto"]
    assert [field.name for field in file.message_type[0].field] == ["export"]
    assert [enum.name for enum in file.enum_type] == ["F"]


def test_extensions_of_messages_are_kept_and_those_of_options_are_not() -> None:
    text = """import "google/protobuf/descriptor.proto"; package p;
    message M { extensions 4, 10 to 19, 100 to max [verification = UNVERIFIED];
      extend M { repeated group G = 4 { optional int32 n = 1; } } }
    extend .p.M { optional string s = 10 [default = "}"]; }
    extend google.protobuf.FieldOptions { optional string mine = 50000; }"""
    file = parsed("x", text).descriptor
    (message,) = file.message_type
    ranges = [(numbers.start, numbers.end) for numbers in message.extension_range]
    assert ranges == [(4, 5), (10, 20), (100, 1 << 29)]
    (group,) = message.extension
    assert (group.name, group.extendee, message.nested_type[0].name) == ("g", "M", "G")
    assert [(field.name, field.extendee) for field in file.extension] == [("s", ".p.M")]


def test_whitespace_and_comments_may_stand_anywhere() -> None:
    text = (
        "\ufeff/**/syntax/* */=//\n'pro' \"to\\063\";package a . b\n.c;import'q\\x2fr.proto';"
        "message M{optional . a .b. c/**/.M m=0x1F[deprecated=true];repeated.a.b.c.M n=017;"
        "map</**/string,.a.b.c . M>o=3;optional\tfloat\fp=4[default=-1.5e-3];;}"
    )
    file = parsed("x", text.replace("'pro'", "'proto'").replace('"to\\063"', '"\\x32"')).descriptor
    assert (file.syntax, file.package, list(file.dependency)) == ("proto2", "a.b.c", ["q/r.proto"])
    m, n, o, p = file.message_type[0].field
    assert (m.number, n.number, o.number, p.number) == (31, 15, 3, 4)
    assert m.type_name == n.type_name == ".a.b.c.M"
    assert file.message_type[0].nested_type[0].field[1].type_name == ".a.b.c.M"


def test_names_of_synthetic_oneofs_do_not_clash() -> None:
    text = HEAD + "message M { optional int32 a = 1; int32 _a = 2; oneof X_a { int32 b = 3; } }"
    (message,) = parsed("x", text).descriptor.message_type
    assert [oneof.name for oneof in message.oneof_decl] == ["X_a", "XX_a"]


def test_a_dot_in_front_of_a_type_says_that_its_name_is_whole() -> None:
    text = "message A { .B a = 1; oneof o { .B b = 2; } optional .B c = 3; map<string, .B> d = 4; }"
    message = parsed("a.proto", f'syntax = "proto3"; {text}').descriptor.message_type[0]
    assert [field.type_name for field in message.field[:3]] == [".B"] * 3
    assert message.nested_type[0].field[1].type_name == ".B"
