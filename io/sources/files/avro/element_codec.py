"""Decode elements of one Avro schema, or pass over them, with fastavro."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import fastavro
from fastavro import _read_py

from sources.files.avro.costs import costs_of
from transforms.parse.avro.shapes import Shape
from transforms.parse.typed_rows import RowEncoder


class Bytes(Protocol):
    """Something that bytes are read from in order."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        ...


class Skimmed(Bytes, Protocol):
    """Bytes that are passed over."""

    def mark(self) -> None:
        """What has been read precedes the value."""
        ...


class ElementCodec:
    """Decodes elements one by one.

    Args:
        schema: That of the elements, a record.
        shapes: Of its fields, by name.
        recursive: Whether a type contains itself.
        encoder: Makes the bytes that are kept of a row.
    """

    def __init__(
        self, schema: Any, shapes: Mapping[str, Shape], recursive: bool, encoder: RowEncoder
    ) -> None:
        self.shapes = shapes
        self.encoder = encoder
        parsed: Any = fastavro.parse_schema(schema)
        self._schema = parsed
        self.costs = costs_of(parsed)
        self._nothing: Any = fastavro.parse_schema({**_FIELD, "fields": []})
        self._none_of_it = {"type": "record", "name": parsed["name"], "fields": []}
        self._types = {field["name"]: field["type"] for field in parsed["fields"]}
        # The compiled reader would overflow the stack of the process.
        self._read: Any = (_read_py if recursive else fastavro).schemaless_reader

    def read(self, source: Bytes) -> Any:
        """The next element."""
        return self._read(source, self._schema, None, handle_unicode_errors="surrogateescape")

    def skip(self, source: Bytes) -> None:
        """Pass over the next element."""
        self._read(source, self._schema, self._none_of_it)

    def read_field(self, name: str, source: Bytes) -> Any:
        """The value of a field."""
        wrapped = self._wrapped(self._types[name])
        return self._read(source, wrapped, None, handle_unicode_errors="surrogateescape")["value"]

    def skip_field(self, name: str, source: Skimmed) -> None:
        """Pass over the value of a field; marked is where its text or bytes begin."""
        kind = self._types[name]
        if isinstance(kind, list):
            kind = kind[self._length(source, len(kind) - 1)]
            if isinstance(kind, dict) and len(kind.get("fields", ())) == 1:
                kind = kind["fields"][0]["type"]  # a branch of a union of several types
        if kind not in ("string", "bytes"):
            self._read(source, self._wrapped(kind), self._nothing)
            return
        size = self._length(source, 1 << 62)
        source.mark()
        source.read(size)

    def _length(self, source: Bytes, most: int) -> int:
        number: int = self._read(source, "long", None)
        if not 0 <= number <= most:
            raise EOFError
        return number

    def _wrapped(self, kind: Any) -> Any:
        """A record of one field, in which types defined elsewhere in the schema are known."""
        names = self._schema["__named_schemas"]
        fields = [{"name": "value", "type": kind}]
        return {**_FIELD, "fields": fields, "__fastavro_parsed": True, "__named_schemas": names}


_FIELD = {"type": "record", "name": "sluice.Field"}
