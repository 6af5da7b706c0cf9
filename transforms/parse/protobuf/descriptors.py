"""The descriptors of a schema with all that it refers to, and which message of it is meant."""

from __future__ import annotations

import base64
import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from transforms.parse.protobuf.text import ProtoFile, parsed
from transforms.parse.registry.schema import Unusable

_MAIN = "sluice/registered.proto"
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_SHIPPED = re.compile(r"google/(?:protobuf|type)/[a-z_]+\.proto")
_DECIMAL = "confluent/type/decimal.proto"
_BUILT_IN = {
    _DECIMAL: 'syntax = "proto3"; package confluent.type; '
    "message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }"
}
"""What registries know without a reference."""


class Descriptors:
    """The messages that a schema defines.

    Args:
        text: A ``.proto`` file, or its descriptor in base64, as some clients register it.
        references: Names under which it imports others, and their texts.

    Raises:
        Unusable: The schema cannot be read.
    """

    def __init__(self, text: str, references: Sequence[tuple[str, str]]) -> None:
        main = _file(_MAIN, text)
        files = {name: _file(name, other).descriptor for name, other in references}
        self.comments = main.comments
        self.pool = DescriptorPool()
        self._added: set[str] = set()
        try:
            self._add(main.descriptor, files, 0)
            self._file: FileDescriptor = self.pool.FindFileByName(_MAIN)
        except (TypeError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise Unusable(f"its Protobuf cannot be used: {reason}") from error

    def _add(
        self, file: FileDescriptorProto, files: Mapping[str, FileDescriptorProto], depth: int
    ) -> None:
        """Add a file behind what it imports; an import that is nowhere to be had may not be needed."""
        if file.name in self._added:
            return
        if depth > len(files) + 10:
            raise Unusable("its imports do not end")
        self._added.add(file.name)
        present: list[str] = []
        public: list[int] = []
        for number, name in enumerate(file.dependency):
            other = files.get(name) or _shipped(name)
            if other is None:
                continue
            self._add(other, files, depth + 1)
            if number in file.public_dependency:
                public.append(len(present))
            present.append(name)
        copy = FileDescriptorProto()
        copy.CopyFrom(file)
        del copy.dependency[:], copy.public_dependency[:], copy.weak_dependency[:]
        _rename(copy.message_type)
        copy.dependency.extend(present)
        copy.public_dependency.extend(public)
        self.pool.Add(copy)

    def message(self, path: Sequence[int]) -> Descriptor:
        """The message that an index names: the number of an outermost one, then of one within it.

        Raises:
            LookupError: There is no such message.
        """
        if not path or min(path) < 0:
            raise LookupError
        outermost: list[Descriptor] = list(self._file.message_types_by_name.values())
        message = outermost[path[0]]
        for number in path[1:]:
            message = message.nested_types[number]
        if message.GetOptions().map_entry:
            raise LookupError
        return message


def _rename(messages: Iterable[DescriptorProto]) -> None:
    """Let fields be called in JSON what they are called: such names are not read, and may clash."""
    for message in messages:
        for field in message.field:
            field.json_name = field.name
        _rename(message.nested_type)


def _file(name: str, text: str) -> ProtoFile:
    if _BASE64.fullmatch(text):
        try:
            descriptor = FileDescriptorProto.FromString(base64.b64decode(text, validate=False))
        except (ValueError, DecodeError):
            raise Unusable("its descriptor cannot be read") from None
        descriptor.name = name
        return ProtoFile(descriptor)
    return parsed(name, text)


def _shipped(name: str) -> FileDescriptorProto | None:
    """A file that comes with Protobuf, or that registries know; None if there is no such file."""
    if name in _BUILT_IN:
        return parsed(name, _BUILT_IN[name]).descriptor
    if not _SHIPPED.fullmatch(name):
        return None
    try:
        module: Any = importlib.import_module(
            name.removesuffix(".proto").replace("/", ".") + "_pb2"
        )
    except ImportError:
        return None
    descriptor = FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(descriptor)
    return descriptor
