from __future__ import annotations

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from transforms.parse.protobuf.fields import entry_of, set_type


def test_a_word_is_a_scalar_type_or_a_name() -> None:
    scalar, named = FieldDescriptorProto(), FieldDescriptorProto()
    set_type(scalar, "sfixed64")
    set_type(named, ".a.Sfixed64")
    assert (scalar.type, scalar.type_name) == (FieldDescriptorProto.TYPE_SFIXED64, "")
    assert (named.HasField("type"), named.type_name) == (False, ".a.Sfixed64")


def test_the_entries_of_a_map_have_the_name_that_protoc_gives_them() -> None:
    entry = entry_of("by_the_wayTo", "int32", "Other")
    assert (entry.name, entry.options.map_entry) == ("ByTheWayToEntry", True)
    assert [(part.name, part.number) for part in entry.field] == [("key", 1), ("value", 2)]
