"""Decode the blocks of one Avro object."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import fastavro
from fastavro import _read_py
from fastavro.read import HEADER_SCHEMA

from sources.files.avro.arrow_records import arrow_records_of
from sources.files.avro.blocks import Block
from sources.files.avro.columnar_rows import around
from sources.files.avro.element_codec import ElementCodec
from sources.files.avro.elements import LARGE, MEMORY, Elements
from transforms.errors import ObjectFailed
from transforms.parse.avro.shapes import Shape, Shapes
from transforms.parse.typed_rows import RowEncoder


class Decoder:
    """Decodes the elements of blocks.

    Args:
        schema: The schema of the object, as JSON.

    Raises:
        ObjectFailed: Its elements are not records, or cannot be read with bounded memory.
    """

    def __init__(self, schema: bytes) -> None:
        names: dict[str, Any] = {}
        parsed: Any = fastavro.parse_schema(json.loads(schema), names)
        shapes = Shapes(names)
        whole = shapes.of(parsed)
        if not isinstance(parsed, dict) or parsed.get("type") not in ("record", "error"):
            raise ObjectFailed("its elements are no records", "unknown_format")
        self.shapes: dict[str, Shape] = shapes.fields[parsed["name"]]
        self.recursive = shapes.recursive
        self.encoder = RowEncoder({name: shape.kind for name, shape in self.shapes.items()})
        self.around = around(self.shapes, self.encoder)
        self.columns = None if self.recursive else arrow_records_of(parsed)
        self._file = io.BytesIO()
        meta = {"avro.schema": json.dumps(whole.decoded).encode(), "avro.codec": b"null"}
        header = {"magic": b"Obj\x01", "meta": meta, "sync": bytes(16)}
        fastavro.schemaless_writer(self._file, HEADER_SCHEMA, header)
        self._file.seek(0)
        # The compiled reader would overflow the stack of the process.
        reader = _read_py.block_reader if self.recursive else fastavro.block_reader
        self._reader: Any = reader(self._file, handle_unicode_errors="surrogateescape")
        self.codec = ElementCodec(whole.decoded, self.shapes, self.recursive, self.encoder)

    def elements(self, block: Block, first: int, skip: int, limit: int) -> Elements | WholeBlock:
        """The elements of ``block`` after the first ``skip`` ones, lazily.

        Args:
            block: The block.
            first: The number of its first element.
            skip: How many of them are passed over.
            limit: The longest record, in bytes, that is read.
        """
        costs = self.codec.costs
        long = len(block.data) > min(LARGE, MEMORY // costs.item)
        if long or block.pieces is not None:
            return self.one_by_one(block, first, skip, limit)
        self._file.seek(0)
        self._file.truncate()
        for number in (block.count, len(block.data)):
            fastavro.schemaless_writer(self._file, "long", number)
        self._file.write(block.data)
        self._file.write(bytes(16))
        self._file.seek(0)
        whole = WholeBlock(next(self._reader), costs.fixed)
        next(islice(whole.elements, skip, skip), None)
        return whole

    def one_by_one(self, block: Block, first: int, skip: int, limit: int) -> Elements:
        """The same, each within bounded memory; one that is bad does not cost the others."""
        elements = Elements(self.codec, block, first, limit)
        elements.skip(skip)
        return elements


class WholeBlock:
    """A block of moderate length, whose elements are decoded as they are taken.

    Args:
        block: As fastavro reads it.
        fixed: The memory of an element, in bytes, without what is repeated in it.
    """

    def __init__(self, block: Any, fixed: int) -> None:
        self.fixed = fixed
        self._data: Any = block.bytes_
        self.elements: Iterator[Any] = iter(block)

    def rest(self) -> int:
        """How many bytes follow the elements taken."""
        return len(self._data.read())
