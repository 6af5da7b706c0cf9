"""Apache Avro's files: what its READMEs and its tests say of them is what must be read."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
from fastavro.read import HEADER_SCHEMA, SYNC_SIZE
from fastavro.schema import parse_schema

from benchmarks.registry.interop.checks import Check
from benchmarks.registry.interop.wire import read
from sources.files.avro.codecs import decompressed
from transforms.parse.avro.decoder import AvroDecoder
from transforms.parse.avro.reading import long_at
from transforms.parse.registry.schema import AVRO, Unusable, WireSchema

_NO_USE = {16, 31}
"""Schemas of no use for messages: a union of nothing, and an array of what takes no bytes."""

_DATA = "share/test/data"
_SCHEMAS = "lang/c/tests/schema_tests"
_CODECS = ("", "-deflate", "-snappy", "-zstd", "-sorted")
_SINGLE_OBJECT = 10
"""A marker of two bytes and a fingerprint of eight stand before the body."""

_LENIENT = {"enum_nonstring_name", "invalid_avro_id", "record_with_nonstring_name"}
"""Schemas whose names are no names; fastavro takes some of them, and their messages can be read."""


def checks(root: Path) -> Iterator[Check]:
    """All checks.

    Args:
        root: A work tree of Apache Avro.
    """
    data = root / _DATA
    yield from _weather(data)
    yield _message(data / "messageV1")
    yield from _commons(data / "schemas")
    yield from _canonical((data / "schema-tests.txt").read_text(encoding="utf-8"))
    yield from _accepted_or_refused(root / _SCHEMAS)
    yield _interop(root)


def _weather(data: Path) -> Iterator[Check]:
    """The same five records with each codec; ``weather.json`` says which."""
    lines = (data / "weather.json").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    by_station = sorted(records, key=lambda record: (record["station"], record["time"]))
    for codec in _CODECS:
        wanted = by_station if codec == "-sorted" else records
        schema, bodies = _bodies(data / f"weather{codec}.avro")
        got = read(schema, bodies)
        if codec == "-sorted":
            got = sorted(got, key=lambda record: (record["station"], record["time"]))
        yield f"weather{codec}.avro", wanted, got


def _message(folder: Path) -> Check:
    """A message of the single-object encoding, whose README shows its values."""
    readme = (folder / "README.md").read_text(encoding="utf-8")
    wanted = json.loads(readme.rpartition("```\n{")[2].join(("{", "")).partition("```")[0])
    schema = WireSchema(AVRO, (folder / "test_schema.avsc").read_text(encoding="utf-8"))
    body = (folder / "test_message.bin").read_bytes()[_SINGLE_OBJECT:]
    return "messageV1", wanted, read(schema, [body])[0]


def _commons(folder: Path) -> Iterator[Check]:
    """Each folder has a schema and records; its implementations must read them and agree."""
    for one in sorted(path for path in folder.iterdir() if path.is_dir()):
        schema, bodies = _bodies(one / "data.avro")
        own = WireSchema(AVRO, (one / "schema.json").read_text(encoding="utf-8"))
        with (one / "data.avro").open("rb") as file:
            wanted: list[Any] = list(fastavro.reader(file))
        yield f"schemas/{one.name}", wanted, read(schema, bodies)
        yield f"schemas/{one.name}, schema.json", wanted, read(own, bodies)


def _canonical(text: str) -> Iterator[Check]:
    """A schema and its canonical form mean the same, and both can be used."""
    for number, case in enumerate(text.split("\n<<INPUT")[1:]):
        schema, _, rest = case.partition("<<canonical ")
        canonical = rest.partition("\n")[0]
        schema = schema.strip().removesuffix("INPUT")
        wanted = "refused" if number in _NO_USE else "used"
        got = {_use(one).partition(":")[0] for one in (schema, canonical)}
        yield f"schema-tests {number:03}", {wanted}, got


def _accepted_or_refused(folder: Path) -> Iterator[Check]:
    for kind, wanted in (("pass", "used"), ("fail", "refused")):
        for path in sorted((folder / kind).iterdir()):
            if path.name not in _LENIENT:
                text = path.read_text(encoding="utf-8")
                yield f"schema_tests/{kind}/{path.name}", wanted, _use(text).partition(":")[0]


def _use(text: str) -> str:
    try:
        AvroDecoder(text, (), 100)
    except Unusable as error:
        return f"refused: {error}"
    return "used"


def _interop(root: Path) -> Check:
    """The record that Avro's languages exchange: its values stand in its generator for Python."""
    source = (root / "lang/py/avro/test/gen_interop_data.py").read_text(encoding="utf-8")
    literal = re.search(r"^DATUM = (\{.*?^\})", source, re.DOTALL | re.MULTILINE)
    datum: dict[str, Any] = ast.literal_eval(literal[1]) if literal else {}
    text = (root / "share/test/schemas/interop.avsc").read_text(encoding="utf-8")
    body = io.BytesIO()
    fastavro.schemaless_writer(body, parse_schema(json.loads(text)), datum)
    return "interop.avsc", datum, read(WireSchema(AVRO, text), [body.getvalue()])[0]


def _bodies(path: Path) -> tuple[WireSchema, list[bytes]]:
    """The schema of an object file, and the bytes of each record."""
    text, blocks = _blocks(path)
    schema = parse_schema(json.loads(text))
    bodies = []
    for count, data in blocks:
        stream = io.BytesIO(data)
        for _ in range(count):
            start = stream.tell()
            fastavro.schemaless_reader(stream, schema, None)
            bodies.append(data[start : stream.tell()])
    return WireSchema(AVRO, text), bodies


def _blocks(path: Path) -> tuple[str, list[tuple[int, bytes]]]:
    """The schema of an object file, and the number of records of each block with its bytes."""
    data = path.read_bytes()
    stream = io.BytesIO(data)
    header: Any = fastavro.schemaless_reader(stream, HEADER_SCHEMA, None)
    codec = header["meta"].get("avro.codec", b"null").decode()
    blocks, at = [], stream.tell()
    while at < len(data):
        count, at = long_at(data, at)
        size, at = long_at(data, at)
        blocks.append((count, decompressed(codec, data[at : at + size], str(path))))
        at += size + SYNC_SIZE
    return header["meta"]["avro.schema"].decode(), blocks
