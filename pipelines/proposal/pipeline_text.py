"""The text of a pipeline file: each proposal on a line, with what the sample says for it behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from urllib.parse import unquote

from pipelines.proposal import hints
from pipelines.proposal.draft import Draft
from pipelines.proposal.sampling.places import HEAD, Place
from pipelines.proposal.sampling.sample import Sample
from pipelines.proposal.types import ProposedColumn
from pipelines.proposal.yaml_text import flow, line, remarked, scalar

_MOST_THOUSANDS = 5


def text_of(draft: Draft, file: str, schema_file: str = "") -> str:
    """The pipeline file.

    Args:
        draft: What is proposed.
        file: How the file will be called; empty if it has no name.
        schema_file: Where the schema is; empty if it stands in the file.
    """
    parts = (
        _head(draft, file),
        _pipeline(draft),
        _source(draft),
        _sink(draft),
        _key(draft),
        _mapping(draft),
        _schema(draft, schema_file),
    )
    return "\n".join("\n".join(part) + "\n" for part in map(list, parts) if part)


def _head(draft: Draft, file: str) -> Iterator[str]:
    name = scalar(file or "FILE")
    records = amount(draft.sample)
    yield f"# A pipeline, proposed by `sluice init` from {records} of the source. Each line is a"
    yield "# proposal: read it, change it, and keep the file with your code. Then:"
    yield f"#   sluice validate {name}  # says what is wrong with this file"
    yield f"#   sluice plan {name}  # tries it on a sample, and writes nothing"
    yield f"#   sluice run {name}  # loads the records, each exactly once"


def amount(sample: Sample) -> str:
    """How many records the sample has, and whether these are all."""
    count = sample.survey.records
    noun = "record" if count == 1 else "records"
    if sample.whole:
        return f"all {count:,} {noun}" if count > 1 else f"the one {noun}"
    return f"the first {count:,} {noun}"


def _pipeline(draft: Draft) -> Iterator[str]:
    yield line("pipeline", draft.pipeline, "its name: retries and what is settled belong to it")


def _source(draft: Draft) -> Iterator[str]:
    sample = draft.sample
    yield line("source", draft.source, "a file, a glob, s3://bucket/…, kafka://host:port/topic")
    yield from _detected(sample)
    for name, value in draft.options.items():
        yield line(name, value, draft.remarks.get(name, ""))
    yield from _refused(sample)
    survey = sample.survey
    if survey.messages and not draft.message_key:
        yield (
            f"# {survey.keyed:,} of {survey.messages:,} messages have a key, which no field shows; "
            'a mapping can: - set: {message_key: "@key"}'
        )
    words = hints.absences(draft.columns) if survey.cells else []
    if words:
        why = "if these words stand for nothing; then columns have narrower types"
        yield line("csv_null", words, why, proposed=False)
    units = hints.epochs(draft.columns)
    if units:
        why = "if these numbers are times since 1970; then the type is string, the format date-time"
        yield line("epoch", units, why, proposed=False)


def _detected(sample: Sample) -> Iterator[str]:
    """What each run detects anew, so that no option says it."""
    detected = list(dict.fromkeys(sample.detected))
    if sample.format is not None:
        detected = [_format_of(sample), *(what for what in detected if what not in _FORMATS)]
    yield f"# Detected, as each run does anew: {'; '.join(detected)}."


_FORMATS = ("csv", "jsonl", "parquet", "avro")


def _format_of(sample: Sample) -> str:
    name = sample.format.name if sample.format else ""
    return f"format {'jsonl' if name == 'json' else name}"


def _refused(sample: Sample) -> Iterator[str]:
    """The records of the sample that cannot be read."""
    if sample.example is None:
        return
    origin = sample.example.origin
    # The number is not known: the line is, if the file has lines.
    place = Place(origin.source, origin.offset, 0, sample.example.raw[:HEAD])
    where = place.text if place.has_line else f"offset {origin.offset:,}"
    name = scalar(PurePath(unquote(origin.source)).name)
    categories = ", ".join(f"{count:,} {what}" for what, count in sample.refused.most_common())
    total = sample.refused.total()
    yield (
        f"# {total:,} more of the sample cannot be read ({categories}), so each is a dead letter; the "
        f"first: {where} of {name}"
    )
    if "invalid_utf8" in sample.refused:
        yield line(
            "encoding", "cp1252", "if the texts are of Windows; then run init again", proposed=False
        )


def _sink(draft: Draft) -> Iterator[str]:
    yield line("sink", draft.sink, "or postgresql://user:${env:PGPASSWORD}@host/db")
    yield line("table", draft.table, "made if it is missing; the one that is there otherwise")


def _key(draft: Draft) -> Iterator[str]:
    if draft.message_key:
        yield from _key_of_messages(draft)
        return
    records = draft.sample.survey.records
    among = f"in {amount(draft.sample)}"
    if not draft.key:
        yield "# No key is proposed: each record is one row, told apart by where it came from."
    for number, candidate in enumerate(draft.keys):
        columns = list(draft.named(candidate.columns))
        value = columns[0] if len(columns) == 1 else columns
        why = f"differs {among} " + ("as well" if number else "and is never empty")
        if records == 1:
            why = "its name is that of a key; one record shows no more"
        yield line("key", value, why, proposed=candidate.sure and number == 0)
    if not draft.key:
        if draft.sample.envelope not in (None, "none"):
            why = "without a key, a change that says that a row is gone is a dead letter"
            yield line("on_delete", "ignore", why, proposed=False)
        return
    newest = draft.newest
    if newest:
        why = "the newer record of a key takes the place of the older one"
        yield line("on_conflict", f"newest:{newest}", why, proposed=False)
    why = "the last record of a key stays; without this line, the first one does"
    yield line("on_conflict", "update", why, proposed=False)


def _key_of_messages(draft: Draft) -> Iterator[str]:
    """The key that the messages have, and what changes of it become."""
    fields = [f"@key.{name}" for name in draft.message_key]
    value = fields[0] if len(fields) == 1 else fields
    yield line(
        "key", value, "what the key of each message has, also of one that says that a row is gone"
    )
    if draft.sample.envelope in (None, "none"):
        why = "the last record of a key stays; without this line, the first one does"
        yield line("on_conflict", "update", why, proposed=False)
        return
    yield line("on_conflict", "newest:@position", "the newest change of a key wins, in any order")
    why = "or mark:COLUMN, which keeps the row; ignore; or dead, which makes a dead letter of it"
    yield line("on_delete", "delete", why)


def _mapping(draft: Draft) -> Iterator[str]:
    as_text = {proposed.name: "text" for proposed in draft.columns if proposed.type.as_text}
    active: list[tuple[str, object, str]] = []
    if draft.renamed:
        why = "names that a table cannot have: too long, empty, a reference, or another one in capitals"
        active.append(("rename", draft.renamed, why))
    if as_text:
        active.append(("cast", as_text, "mixed values, see below"))
    possible = hints.operations(draft.columns)
    if not active and not possible:
        return
    yield remarked(
        "map:" if active else "# map:", "how records are shaped before they are checked and written"
    )
    for operation, value, why in active:
        yield f"  - {line(operation, value, why)}"
    for operation, value, why in possible:
        yield f"#   - {line(operation, value, why)}"


def _schema(draft: Draft, schema_file: str) -> Iterator[str]:
    if not draft.columns:
        yield "# No columns are proposed, as there are too many fields, or names that no column can have: each"
        yield "# record is kept whole, as JSON, in the column payload. A table of your own has other columns."
        return
    if draft.subject:
        yield "# What a record must be; another one is a dead letter. A missing table gets the columns of the"
        yield "# newest schema of this subject, as it is when a run begins."
        yield line("schema", f"registry:{draft.subject}")
        return
    yield "# What a record must be; another one is a dead letter, which you see and repair. A missing table"
    yield '# gets these columns. A column that may be empty later needs "null", as in'
    yield '# {type: [integer, "null"]}, and a field that may be missing does not belong into required.'
    yield from _thousands(draft.columns)
    if schema_file:
        yield line("schema", schema_file)
        return
    required = [proposed.name for proposed in draft.columns if proposed.type.required]
    yield "schema:"
    yield "  type: object"
    yield f"  required: {flow(required)}"
    yield "  properties:"
    for proposed in draft.columns:
        yield line(proposed.name, proposed.type.schema, proposed.said, indent=4)


def _thousands(columns: Iterable[ProposedColumn]) -> Iterator[str]:
    names = hints.thousands(columns)
    if names:
        shown = ", ".join(map(scalar, names[:_MOST_THOUSANDS]))
        more = " and more" if len(names) > _MOST_THOUSANDS else ""
        yield f"# All numbers of {shown}{more} have three decimals: if the point is one of thousands, they"
        yield "# must become text (type: string)."
