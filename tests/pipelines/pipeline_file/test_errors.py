"""Kinds of error in a pipeline file: each is one line with its place, what is wrong, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.pipeline_file.validating import errors_of

GOOD = """\
pipeline: orders
source: ./orders.csv
sink: sqlite:///orders.db
table: orders
key: id
"""


@dataclass(frozen=True)
class Case:
    """One kind of error.

    Attributes:
        text: The file.
        lines: What is said, place first, as far as it is the same everywhere.
        name: What the file is called.
        environment: The environment.
        settings: The settings.
    """

    text: str | bytes
    lines: tuple[str, ...]
    name: str = "p.yaml"
    environment: str | None = None
    settings: tuple[str, ...] = ()


def case(text: str | bytes, *lines: str, **more: object) -> Case:
    return Case(text, lines, **more)  # type: ignore[arg-type]


ANCHORS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 7)
)

CASES = {
    "a key twice": case(f"{GOOD}key: b\n", "p.yaml:6:1: key occurs twice here; keep one of them"),
    "an unknown option": case(
        f"{GOOD}max_attemps: 3\n",
        "p.yaml:6:1: there is no option max_attemps; is max_attempts meant?",
    ),
    "another type": case(
        f"{GOOD}max_attempts: many\n",
        "p.yaml:6:15: max_attempts must be a whole number of at least 1, got 'many'",
    ),
    "out of range": case(
        f"{GOOD}poll_interval: 0.01\n",
        "p.yaml:6:16: poll_interval must be at least 0.1 s, got '0.01'",
    ),
    "no choice": case(
        f"{GOOD}format: jsnl\n", "p.yaml:6:9: format: jsnl is no choice; is jsonl meant?"
    ),
    "no switch": case(
        f"{GOOD}streaming: yes\n", "p.yaml:6:12: streaming is true or false, got yes"
    ),
    "something required is missing": case(
        GOOD.replace("table: orders\n", ""), "p.yaml:1:1: missing table; write it into the file"
    ),
    "a database that is not known": case(
        GOOD.replace("sink: sqlite:///", "sink: mysqlx:///"),
        "p.yaml:3:1: unknown database 'mysqlx' in the sink URL; use ",
    ),
    "a port that is none": case(
        GOOD.replace("sink: sqlite:///", "sink: postgresql://ann@host:port/"),
        "p.yaml:3:1: sink URL cannot be read; write e.g. sqlite:///ingest.db or ",
    ),
    "a tab": case(
        f"{GOOD}map:\n\t- drop: [a]\n",
        "p.yaml:7:1: not YAML: found character '\\t' that cannot start any token; indent by blanks",
    ),
    "an indentation": case(
        f"{GOOD}retain:\n  completed: 30d\n   cancelled: 1d\n",
        "p.yaml:8:13: not YAML: mapping values are not allowed here; "
        "is the indentation right, or does a text with ': ' lack its quotes?",
    ),
    "anchors that multiply": case(GOOD + ANCHORS, "p.yaml:6:"),
    "a file that is too long": case(
        f"{GOOD}# {'x' * (1 << 20)}\n", "p.yaml is longer than 1,048,576 bytes"
    ),
    "a variable that is not set": case(
        GOOD.replace("table: orders", "table: ${env:NO_SUCH_VARIABLE}"),
        "p.yaml:4:8: environment variable NO_SUCH_VARIABLE is not set; ${env:NO_SUCH_VARIABLE} needs it",
    ),
    "a secret that is not set": case(
        GOOD.replace("sqlite:///orders.db", "postgresql://u:${env:NO_SUCH_VARIABLE}@h/d"),
        "p.yaml:3:7: environment variable NO_SUCH_VARIABLE is not set; ${env:NO_SUCH_VARIABLE} needs it",
    ),
    "a file that is not there": case(
        GOOD.replace("table: orders", "table: ${file:/no/such/file}"),
        "p.yaml:4:8: cannot read /no/such/file for ${file:/no/such/file}: No such file or directory",
    ),
    "a schema that is not there": case(
        f"{GOOD}schema: s.json\n",
        "p.yaml:6:1: cannot read schema s.json: No such file or directory",
    ),
    "a wrong schema": case(
        f"{GOOD}schema: {{type: strin}}\n", "p.yaml:6:9: not a valid JSON Schema: "
    ),
    "mistakes in a mapping": case(
        f"{GOOD}map:\n  - renme: {{a: b}}\n  - cast: {{a: integr}}\n",
        "p.yaml:7:5: no operation is called renme; is rename meant?",
        "p.yaml:8:15: integr is no type; there are ",
    ),
    "a mapping's file": case(
        f"{GOOD}map: m.yaml\n", "p.yaml:6:1: cannot read m.yaml: No such file or directory"
    ),
    "mistakes in routes": case(
        f"{GOOD}routes:\n  routes:\n    - tabel: a\n    - table: b\n      on_conflict: replace\n",
        "p.yaml:8:7: a route has no tabel; is table meant?",
        "p.yaml:10:20: on_conflict is ignore, update or newest:FIELD, got replace",
    ),
    "a step without its file": case(
        f"{GOOD}step:\n  - ./steps.py:enrich\n",
        "p.yaml:7:5: step ./steps.py:enrich: there is no file ./steps.py",
    ),
    "a step without its function": case(
        f"{GOOD}step: {{function: ./here.py:enrch, batch: 2}}\n",
        "p.yaml:6:7: step ./here.py:enrch?batch=2: ./here.py has no function enrch",
    ),
    "a setting of no option": case(
        GOOD,
        "--set max_attemps: there is no option max_attemps; is max_attempts meant?",
        settings=("max_attemps=3",),
    ),
    "a setting of another type": case(
        GOOD,
        "--set max_attempts: max_attempts must be a whole number of at least 1, got '0'",
        settings=("max_attempts=0",),
    ),
    "an environment without a file": case(
        GOOD, "--env prod: there is no file p.prod.yaml; write it", environment="prod"
    ),
    "two defaults of routes": case(
        f"{GOOD}routes:\n  routes: [{{table: a, when: {{field: x, is: 1}}}}]\n  default: {{table: b}}\n",
        "p.yaml:4:1: table orders gets what matches no route, and so does the default of the routes, b; "
        "leave one of them out",
    ),
    "state without objects": case(
        f"{GOOD}state: sqlite:///s.db\n", "p.yaml:6:1: state is for a sink of objects; "
    ),
    "objects without state": case(
        "source: a.csv\nsink: file:///lake\n", "p.yaml:2:1: sink of objects: missing state URL"
    ),
    "an option that one source cannot have": case(
        GOOD.replace("./orders.csv", "{uri: ./orders.csv, table: x}"),
        "p.yaml:2:29: table is an option of the whole pipeline, not of one source",
    ),
    "a parameter of topics": case(
        GOOD.replace("./orders.csv", "{uri: ./orders.csv, group: x}"),
        "p.yaml:2:29: group is for topics, kafka://…; leave it out here",
    ),
    "an option of one source that is wrong": case(
        GOOD.replace("./orders.csv", "[a.csv, {uri: b.csv, csv_delimiter: abc}]"),
        "p.yaml:2:30: csv_delimiter ",
    ),
    "no UTF-8": case(GOOD.encode() + b"# caf\xe9\n", "p.yaml is not UTF-8 text (byte "),
    "no JSON": case(
        '{"source": "a.csv",\n "sink" "x"}', "p.json:2:9: not JSON: Expecting ':'", name="p.json"
    ),
    "a list where one value belongs": case(
        GOOD.replace("orders\nkey", "[orders, others]\nkey"),
        "p.yaml:4:8: table takes one value, got a list; write a text or a number",
    ),
    "an empty file": case("# nothing\n", "p.yaml is empty"),
    "a value that is missing": case(
        f"{GOOD}max_rate:\n", "p.yaml:6:10: max_rate: a value is missing; write one, or null"
    ),
    "no mapping of options": case(
        "- source: a\n", "p.yaml:1:1: a pipeline file is a mapping of options"
    ),
    "an option that Beam does not have": case(
        f"{GOOD}runner: FlinkRunner\nrunner_options: {{parallelsm: 4}}\n",
        "p.yaml:7:18: unknown option runner_options.parallelsm; did you mean parallelism?",
    ),
    "an option that the runner ignores": case(
        f"{GOOD}runner_options: {{parallelism: 4}}\n",
        "p.yaml:6:18: runner_options.parallelism: DirectRunner does not use it; leave this out",
    ),
    "no runner": case(f"{GOOD}runner: Flink\n", "p.yaml:6:1: unknown runner 'Flink': use one of "),
    "a time that is none": case(f"{GOOD}retain: {{completed: soon}}\n", "p.yaml:6:1: "),
    "several mistakes": case(
        f"{GOOD}max_rate: 0\nmax_attempts: 0\ntabel: x\n",
        "p.yaml:6:11: max_rate must be a number per second above 0, got '0'",
        "p.yaml:7:15: max_attempts must be ",
        "p.yaml:8:1: there is no option tabel; is table meant?",
    ),
}


def test_there_are_more_than_twenty_kinds() -> None:
    assert len(CASES) >= 20


@pytest.mark.parametrize("wrong", CASES.values(), ids=CASES.keys())
def test_an_error_is_one_line_with_its_place(
    wrong: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.py").write_text("def enrich(record):\n    return record\n")
    raw = wrong.text if isinstance(wrong.text, bytes) else wrong.text.encode()
    (tmp_path / wrong.name).write_bytes(raw)
    errors = [str(error) for error in errors_of(wrong.name, wrong.environment, wrong.settings)]
    assert len(errors) == len(wrong.lines), errors
    for error, line in zip(errors, wrong.lines, strict=True):
        assert error.startswith(line)
        assert "\n" not in error


def test_an_alias_that_multiplies_is_named_as_the_cause(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(GOOD + ANCHORS)
    (error,) = errors_of(f"{tmp_path}/p.yaml")
    assert str(error).endswith("more than 100,000 values (is an alias repeated?)")


def test_a_file_without_an_error_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(GOOD)
    assert errors_of("p.yaml") == []
