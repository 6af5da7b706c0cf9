"""What a sample shows of how its objects and messages are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from sources.files.formats import COMPRESSIONS, known_format_of
from transforms.batch.record import Format, RecordBatch
from transforms.notes import Note

MOST_OBJECTS = 10
"""Of how many objects and topics it is said."""

MOST_COLUMNS = 50
_LOOKED_AT = 200  # records of each, for the names of their fields


@dataclass(frozen=True, slots=True)
class Detected:
    """How one object or topic is written.

    Attributes:
        name: The object or topic.
        records: How many records of it are in the sample.
        format: Its format.
        compression: Its compression; empty for none, or where messages are.
        encoding: The encoding of its text; empty for UTF-8, or where it is not text.
        delimiter: Of CSV.
        quote: Of CSV.
        columns: The header of CSV, or the first fields of JSON objects, in the order of appearance.
        remarks: What else its content showed.
    """

    name: str
    records: int
    format: str
    compression: str = ""
    encoding: str = ""
    delimiter: str = ""
    quote: str = ""
    columns: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Its attributes by their names."""
        return asdict(self)


def detected(batches: Sequence[RecordBatch], notes: Sequence[Note]) -> tuple[Detected, ...]:
    """How the first objects and topics of a sample are written.

    Args:
        batches: As they were read.
        notes: What the readers have noted of objects.
    """
    records: dict[str, int] = {}
    formats: dict[str, Format] = {}
    raws: dict[str, list[bytes]] = {}
    for batch in batches:
        name = batch.span.source
        records[name] = records.get(name, 0) + batch.read
        if batch.raws and name not in formats:
            formats[name] = batch.format
        kept = raws.setdefault(name, [])
        kept.extend(batch.raws[: _LOOKED_AT - len(kept)])
    return tuple(
        _of_object(name, records[name], formats[name], raws[name], notes)
        for name in list(formats)[:MOST_OBJECTS]
    )


def _of_object(
    name: str,
    records: int,
    written: Format,
    raws: Sequence[bytes],
    notes: Sequence[Note],
) -> Detected:
    said = tuple(note.group for note in notes if note.topic == "detected" and name in note.names)
    by_name = known_format_of(name)
    packed = "" if by_name is None else by_name.compression
    packed = next((group for group in said if group in COMPRESSIONS), packed)
    is_csv = written.name == "csv"
    return Detected(
        name=name,
        records=records,
        format=written.name,
        compression="" if "not compressed" in said else packed,
        encoding=written.encoding,
        delimiter=written.delimiter if is_csv else "",
        quote=written.quote if is_csv else "",
        columns=written.columns[:MOST_COLUMNS] if written.columns else _fields(written, raws),
        remarks=said,
    )


def _fields(written: Format, raws: Sequence[bytes]) -> tuple[str, ...]:
    """The names at the top of JSON objects; nothing of what is not JSON."""
    names: dict[str, None] = {}
    for raw in raws if written.name == "json" else ():
        try:
            value = _decoder.decode(raw)
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
        if isinstance(value, Mapping):
            names.update(dict.fromkeys(value))
        if len(names) >= MOST_COLUMNS:
            break
    return tuple(names)[:MOST_COLUMNS]


_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
