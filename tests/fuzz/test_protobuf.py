"""Messages of made-up schemas are what Google's library says, by a descriptor that no text was read for.

The rules are those of docs/registry.md. Briefly here; ``make fuzz SUBJECTS=protobuf`` tries many more.
"""

from __future__ import annotations

import base64
import importlib
import math
import os
import struct
from datetime import datetime, timedelta
from decimal import Context, Decimal
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.proto_files import DECIMAL, File, schemas
from tests.fuzz.proto_messages import filled
from transforms.parse.protobuf.decoder import ProtobufDecoder

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
BRIEFLY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
DECIMAL_FILE = FileDescriptorProto(name="confluent/type/decimal.proto", package="confluent.type")
_message = DECIMAL_FILE.message_type.add(name="Decimal")
_message.field.add(name="value", number=1, type=FieldDescriptor.TYPE_BYTES, label=1)
_message.field.add(name="precision", number=2, type=FieldDescriptor.TYPE_UINT32, label=1)
_message.field.add(name="scale", number=3, type=FieldDescriptor.TYPE_INT32, label=1)
LONG = (
    *(FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64),
    *(FieldDescriptor.TYPE_SFIXED64, FieldDescriptor.TYPE_SINT64),
)


def pool_of(files: list[File]) -> DescriptorPool:
    """The descriptors that the model has, and those that come with Protobuf."""
    pool = DescriptorPool()
    for name in ("timestamp", "duration", "struct", "field_mask", "wrappers"):
        module: Any = importlib.import_module(f"google.protobuf.{name}_pb2")
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    pool.Add(DECIMAL_FILE)
    for file in files:
        pool.Add(file.descriptor)
    return pool


def expected(shown: Any, message: Any) -> Any:
    """What ``MessageToDict`` shows of a message, by the rules of docs/registry.md."""
    return {field.name: _field(shown, field) for field in message.fields}


def _field(shown: dict[str, Any], field: Any) -> Any:
    name = field.name
    if name not in shown:
        return None  # Where that cannot be told from a zero, the zero is shown.
    value = shown[name]
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        of = entry.fields_by_name["value"]
        return {key: _one(each, of) for key, each in value.items()}
    if field.is_repeated:
        return [_one(each, field) for each in value]
    return _one(value, field)


def _one(value: Any, field: Any) -> Any:
    if field.message_type is not None:
        return _of_message(value, field.message_type)
    if field.enum_type is not None:
        return str(value)
    if field.type in LONG:
        return int(value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return base64.b64decode(value)
    if field.type == FieldDescriptor.TYPE_FLOAT:
        return struct.unpack("f", struct.pack("f", float(value)))[0]
    return float(value) if field.type == FieldDescriptor.TYPE_DOUBLE else value


def _of_message(value: Any, message: Any) -> Any:
    name = message.full_name
    if name == DECIMAL:
        digits = base64.b64decode(value.get("value", ""))
        return Decimal(int.from_bytes(digits, "big", signed=True)).scaleb(
            -value.get("scale", 0), Context(prec=200)
        )
    if not name.startswith("google.protobuf."):
        return expected(value, message)
    kind = name.rpartition(".")[2]
    if kind == "Timestamp":
        seconds, _, rest = value.removesuffix("Z").partition(".")
        micros = int(rest.ljust(6, "0")[:6] or 0)
        return datetime.fromisoformat(f"{seconds}+00:00") + timedelta(microseconds=micros)
    if kind == "Duration":
        plain = value.removesuffix("s")
        plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
        return f"-PT{plain[1:]}S" if plain.startswith("-") else f"PT{plain}S"
    if kind in ("Struct", "Value", "ListValue", "FieldMask"):
        return value
    return _one(value, message.fields_by_name["value"])


def alike(one: Any, other: Any) -> bool:
    """Whether two values are the same, with their types, signs of zeros and what is no number."""
    if isinstance(one, float) and isinstance(other, float):
        same = one == other or (math.isnan(one) and math.isnan(other))
        return same and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return type(one) is type(other) and bool(one == other)


def index_of(path: tuple[int, ...]) -> bytes:
    """The index of a message in front of its bytes; all numbers are small."""
    return bytes([2 * len(path), *(2 * number for number in path)])


def registered(file: File, random: Random) -> str:
    """A file as it is registered: its text, or its descriptor, as some clients do."""
    if random.random() < 0.8:
        return file.text
    return base64.b64encode(file.descriptor.SerializeToString()).decode()


@BRIEFLY
@given(seed=st.integers(0, 2**32))
def test_messages_are_what_googles_library_says(seed: int) -> None:
    random = Random(seed)
    files = schemas(random)
    pool, main = pool_of(files), files[-1]
    texts = [(file.name, registered(file, random)) for file in files]
    decoder = ProtobufDecoder(texts[-1][1], texts[:-1], 100)
    for name, path in main.messages.items():
        kind: Any = GetMessageClass(pool.FindMessageTypeByName(name))
        for _ in range(3):
            message = filled(kind(), random)
            raw = index_of(path) + message.SerializeToString()
            shown = MessageToDict(
                message,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
                descriptor_pool=pool,
            )
            wanted = expected(shown, kind.DESCRIPTOR)
            value = decoder.one(raw, 0)
            assert alike(value, wanted), f"{main.text}\n{name}: {value}\nis not {wanted}"
            assert decoder.many([raw], 0) is not None
