"""What a mapping hides appears nowhere, in whatever format it came and however its record failed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from pipelines import command
from pipelines.ingest import ingest
from tests.pipelines.commands import arguments, dead_letters
from tests.pipelines.tables import query
from tests.services.kafka_broker import KafkaBroker, Topics
from transforms.batch.record import Record
from transforms.errors import RetryLater
from transforms.steps.each_record import EachRecord

pytestmark = pytest.mark.slow

MAIL = "ada.lovelace@example.org"
HIDDEN = (("email",),)
FLAGS: list[str] = []
"""More flags of every ingest."""

BROKEN: list[str] = []
"""What the step refuses; it is repaired when it refuses nothing."""

TABLE = "CREATE TABLE people (id integer PRIMARY KEY CHECK (id <> 4), email text, note text)"
SCHEMA = {"properties": {"note": {"type": "string", "maxLength": 20}}}


def hashed(value: Any) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def call(record: Record) -> Record:
    if record.value.get("note") in BROKEN:
        raise ValueError(f"cannot send {record.value}")
    if record.value.get("note") == "later" and BROKEN:
        raise RetryLater(f"the service is away for {record.value['email']}")
    return record


@pytest.fixture(autouse=True)
def broken() -> Iterator[None]:
    BROKEN[:] = ["broken"]
    yield
    BROKEN.clear()


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[None]:
    """Every ingest has a mapping that hides the e-mail."""
    (tmp_path / "map.json").write_text(json.dumps([{"hash": ["email"]}]))
    FLAGS[:] = ["--map", f"{tmp_path}/map.json"]
    yield
    FLAGS.clear()


def argv_of(tmp_path: Path, source: str, sink: str, *more: str) -> list[str]:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    argv = arguments(source, sink, "--schema", f"{tmp_path}/schema.json", *FLAGS, table="people")
    argv += ["--max_record_bytes=2000", "--max_dead=100%", "--verbose", "--retry_wait=0"]
    return [*argv, "--backoff_base=3600", "--backoff_cap=3600", *more]


def run(tmp_path: Path, source: str, sink: str) -> dict[str, Any]:
    """An ingest that has to succeed; returns its summary."""
    summary = tmp_path / "summary.json"
    argv = argv_of(tmp_path, source, sink, f"--summary_json={summary}")
    assert ingest(steps=[EachRecord(call, "Call")], argv=argv) == command.OK
    assert MAIL not in summary.read_text()
    result: dict[str, Any] = json.loads(summary.read_text())
    return result


def decoded(value: Any) -> Iterator[str]:
    """Every text in an answer in JSON, and what its base64 stands for."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name.endswith("_base64") and part is not None:
                yield base64.b64decode(part).decode("utf-8", "replace")
            yield from decoded(part)
    elif isinstance(value, list):
        for part in value:
            yield from decoded(part)
    else:
        yield str(value)


def stored(sink: str) -> Iterator[tuple[str, str]]:
    """Every cell of the database except what keeps a record as it was read."""
    engine = sa.create_engine(sink)
    with engine.connect() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            for row in connection.execute(sa.select(table)).mappings():
                for name, cell in row.items():
                    if table.name != "ingest_jobs" or name not in ("raw", "key", "headers"):
                        text = bytes(cell) if isinstance(cell, memoryview) else cell
                        yield f"{table.name}.{name}", repr(text)
    engine.dispose()


def leaks(text: str) -> bool:
    """Whether the e-mail, or a part of it that would tell it, is in ``text``."""
    parts = ("lovelace", "ada.love", MAIL.encode().hex(), MAIL.encode().hex(" "))
    return any(part in text for part in parts)


def shown(sink: str, capsys: pytest.CaptureFixture[str]) -> str:
    """All that the commands for failed records print, with base64 decoded."""
    capsys.readouterr()
    every = ("--sink", sink, "--state", "all")
    ids = [str(id_) for (id_,) in query(sink, "SELECT id FROM ingest_jobs")]
    assert dead_letters("list", *every, "--limit", "100") == 0
    assert dead_letters("replay", *every, "--dry_run") == 0
    for id_ in ids:
        assert dead_letters("show", "--sink", sink, "--id", id_) == 0
    printed = capsys.readouterr().out
    assert dead_letters("list", *every, "--limit", "100", "--json") == 0
    answers = [json.loads(capsys.readouterr().out)]
    for id_ in ids:
        assert dead_letters("show", "--sink", sink, "--id", id_, "--json") == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert dead_letters("replay", *every, "--dry_run", "--json") == 0
    answers.append(json.loads(capsys.readouterr().out))
    return printed + "\n".join(decoded(answers))


def check_hidden(sink: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The e-mail is in nothing that was printed, logged, stored beside the records, or is shown."""
    printed = capsys.readouterr()
    assert [line for line in (printed.out + printed.err).splitlines() if leaks(line)] == []
    assert [cell for cell in stored(sink) if leaks(cell[1])] == []
    assert [line for line in shown(sink, capsys).splitlines() if leaks(line)] == []


def record(number: int, note: str = "", email: Any = MAIL) -> dict[str, Any]:
    return {"id": number, "email": email, "note": note}


GOOD = [
    *(record(1), record(2, "broken"), record(3, "later"), record(4)),
    record(5, "much longer than it may be"),
]
"""One is written; of the others, the step, the step for now, the table and the schema have none."""


def json_lines(tmp_path: Path) -> str:
    lines = [
        *map(json.dumps, GOOD),
        json.dumps(record(6, email=[MAIL, {"x": MAIL}])),
        json.dumps(record("x", email={"work": MAIL})),  # type: ignore[arg-type]
        f'{{"id": 7, "email": "{MAIL}"',
        f'{{"id": 8, "email": {MAIL}}}',
        f'{{"id": 9, "email": "{MAIL}\\uD800"}}',
        f'"{MAIL}"',
        f"{MAIL}",
        f'{{"id": 10, "email": "{MAIL}{" " * 3000}"}}',
        f'{{"email": "{MAIL}"}}',
        f'{{"id": 11, "email": "{MAIL}", "unknown": 1}}',
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    return f"{tmp_path}/a.jsonl"


def csv_rows(tmp_path: Path) -> str:
    lines = [
        "id,email,note",
        *(f"{each['id']},{each['email']},{each['note']}" for each in GOOD),
        f"x,{MAIL},",
        f'7,"{MAIL}"x,',
        f"8,{MAIL},a,b",
        MAIL,
        f"9,{MAIL}{' ' * 3000},",
        f'10,"{MAIL}',
    ]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    return f"{tmp_path}/a.csv"


def parquet_rows(tmp_path: Path) -> str:
    broken = MAIL.encode() + b"\xff" + MAIL.encode()
    mails = [*([MAIL.encode()] * len(GOOD)), broken, MAIL.encode() * 200]
    notes = [*(each["note"] for each in GOOD), "", ""]
    columns = {
        "id": pa.array(range(1, len(mails) + 1)),
        "email": pa.array(mails).view(pa.string()),
        "note": pa.array(notes),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    return f"{tmp_path}/a.parquet"


def avro_rows(tmp_path: Path) -> str:
    fields = [("id", "int"), ("email", "bytes"), ("note", "string")]
    schema = {
        "type": "record",
        "name": "r",
        "doc": "longer",
        "fields": [{"name": name, "type": kind} for name, kind in fields],
    }
    broken = MAIL.encode() + b"\xff" + MAIL.encode()
    mails = [*([MAIL.encode()] * len(GOOD)), broken, MAIL.encode() * 200]
    notes = [*(each["note"] for each in GOOD), "", ""]
    rows = [
        {"id": number, "email": mail, "note": note}
        for number, (mail, note) in enumerate(zip(mails, notes, strict=True), 1)
    ]
    with (tmp_path / "a.avro").open("wb") as file:
        fastavro.writer(file, schema, rows)
    # Bytes and text are written alike: what is no UTF-8 becomes text that cannot be read.
    path = tmp_path / "a.avro"
    content = path.read_bytes()
    for before, after in ((b'"bytes"', b'"string"'), (b'"longer"', b'"large"')):
        assert content.count(before) == 1
        content = content.replace(before, after)
    path.write_bytes(content)
    return str(path)


@pytest.mark.usefixtures("mapped")
@pytest.mark.parametrize(
    ("write", "dead", "retrying"),
    [(json_lines, 12, 1), (csv_rows, 9, 1), (parquet_rows, 5, 1), (avro_rows, 5, 1)],
)
def test_no_failure_shows_what_is_hidden(
    write: Callable[[Path], str],
    dead: int,
    retrying: int,
    tmp_path: Path,
    sink: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    query(sink, TABLE)
    summary = run(tmp_path, write(tmp_path), sink)
    assert (summary["dead"], summary["retrying"]) == (dead, retrying)
    assert query(sink, "SELECT count(*) FROM ingest_jobs") == [(dead + retrying,)]
    check_hidden(sink, capsys)
    # It is there all the same: a replay goes through the mapping and writes what it should.
    BROKEN.clear()
    assert dead_letters("replay", "--sink", sink, "--stage", "Call", "--reason", "repaired") == 0
    query(sink, "UPDATE ingest_queue SET due_at = '2020-01-01 00:00:00'")
    run(tmp_path, f"{tmp_path}/a.*", sink)
    healed = query(sink, "SELECT id, email FROM people WHERE id IN (2, 3) ORDER BY id")
    assert healed == [(2, hashed(MAIL)), (3, hashed(MAIL))]
    check_hidden(sink, capsys)


@pytest.mark.usefixtures("mapped")
@pytest.mark.integration
def test_no_message_of_a_topic_shows_what_is_hidden(
    kafka_broker: KafkaBroker,
    topic: Topics,
    tmp_path: Path,
    sink: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    query(sink, TABLE)
    name, mail = topic(partitions=1), MAIL.encode()
    bad = [b'{"id": 7, "email": "%b"' % mail, b'[{"id": 8, "email": %b}]' % mail, mail]
    values = [*(json.dumps(each).encode() for each in GOOD), *bad, None]
    kafka_broker.produce(name, [(mail, value, 0) for value in values])
    summary = run(tmp_path, f"kafka://{kafka_broker.bootstrap}/{name}?until=latest", sink)
    assert (summary["read"], summary["dead"], summary["retrying"]) == (9, 7, 1)
    check_hidden(sink, capsys)


@pytest.mark.usefixtures("mapped")
class TestReveal:
    @pytest.fixture
    def id_(self, tmp_path: Path, sink: str, capsys: pytest.CaptureFixture[str]) -> str:
        """The number of a dead letter with the e-mail in clear."""
        query(sink, TABLE)
        run(tmp_path, json_lines(tmp_path), sink)
        capsys.readouterr()
        ((number,),) = query(sink, "SELECT min(id) FROM ingest_jobs WHERE category = 'malformed'")
        return str(number)

    def test_it_shows_everything_and_is_entered_with_who_and_why(
        self, id_: str, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        why = ("--reveal", "--by", "ann", "--reason", "ticket 7")
        assert dead_letters("show", "--sink", sink, "--id", id_, *why) == 0
        assert MAIL in capsys.readouterr().out
        assert dead_letters("list", "--sink", sink, "--limit", "3", "--json", *why) == 0
        assert MAIL in "".join(decoded(json.loads(capsys.readouterr().out)))
        assert dead_letters("audit", "--sink", sink, "--json") == 0
        listed, one = json.loads(capsys.readouterr().out)
        for entry, count in ((listed, 3), (one, 1)):
            assert (entry["action"], entry["actor"]) == ("reveal", "ann")
            assert (entry["reason"], entry["count"]) == ("ticket 7", count)
        assert one["filter"] == {"ids": [int(id_)]}

    def test_without_it_fields_are_masked_and_what_cannot_be_read_is_described(
        self, id_: str, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert dead_letters("show", "--sink", sink, "--id", id_) == 0
        out = capsys.readouterr().out
        assert "bytes, not shown, since nobody can tell" in out
        assert "--reveal shows all" in out
        assert "hex" not in out
        assert dead_letters("list", "--sink", sink, "--category", "malformed", "--json") == 0
        withheld = [job for job in json.loads(capsys.readouterr().out) if job["record"] != "masked"]
        assert len(withheld) == 3, "half of a surrogate pair is no reason not to find the field"
        for job in withheld:
            raw = query(sink, f"SELECT raw FROM ingest_jobs WHERE id = {job['id']}")[0][0]
            assert (job["record"], job["text"], job["raw_base64"]) == ("withheld", None, None)
            assert (job["size"], job["sha256"]) == (len(raw), hashlib.sha256(raw).hexdigest())
        assert dead_letters("list", "--sink", sink, "--stage", "Call", "--json") == 0
        (job,) = json.loads(capsys.readouterr().out)
        masked = {"id": 2, "email": "***", "note": "broken"}
        assert (job["record"], json.loads(job["text"])) == ("masked", masked)
        assert json.loads(base64.b64decode(job["raw_base64"])) == masked
        assert dead_letters("show", "--sink", sink, "--id", str(job["id"])) == 0
        out = capsys.readouterr().out
        assert '"email": "***"' in out
        assert "fields that a pipeline of the table hides; --reveal shows all" in out

    def test_it_needs_a_reason_and_a_reason_needs_it(
        self, id_: str, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asked = ("show", "--sink", sink, "--id", id_)
        for flags, line in (
            (("--reveal",), "--reveal needs --reason"),
            (("--reason", "x"), "are for --reveal"),
            (("--by", "ann"), "are for --reveal"),
        ):
            assert dead_letters(*asked, *flags) == command.USAGE
            printed = capsys.readouterr()
            assert line in printed.err
            assert MAIL not in printed.out
        assert query(sink, "SELECT count(*) FROM ingest_audit") == [(0,)]


def test_what_failed_before_a_mapping_hid_it_is_hidden_from_then_on(
    tmp_path: Path, sink: str, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """Its messages are of a time when nothing was hidden, and stay as they are in the database."""
    query(sink, TABLE)
    run(tmp_path, json_lines(tmp_path), sink)
    assert leaks(shown(sink, capsys))
    request.getfixturevalue("mapped")
    run(tmp_path, f"{tmp_path}/a.jsonl", sink)
    capsys.readouterr()
    assert [line for line in shown(sink, capsys).splitlines() if leaks(line)] == []


@pytest.mark.usefixtures("mapped")
def test_a_file_whose_header_may_be_data_is_refused_without_a_word_of_it(
    tmp_path: Path, sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    query(sink, TABLE)
    for text in (f"1,{MAIL},\n2,{MAIL},\n", f"id,email,note,\n1,{MAIL},,{MAIL}\n"):
        (tmp_path / "a.csv").write_text(text)
        ingest(argv=argv_of(tmp_path, f"{tmp_path}/a.csv", sink))
        printed = capsys.readouterr()
        assert "a.csv" in printed.err + str(query(sink, "SELECT message FROM ingest_jobs"))
        check_hidden(sink, capsys)
        assert not leaks(printed.out + printed.err)
