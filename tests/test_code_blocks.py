"""Every block of code in README and docs is run, or has a reason not to be.

A block is fenced, or indented by four spaces. ``RUN`` says which test runs the blocks of a page as printed. Commands
that leave something open, such as the URL of a database, are played with substitutions (``PLAYED``), and what a page
shows is compared with what is so (``TRIED``). What is left runs here by its language: YAML is read by what reads such a
file, Python and SQL are run. What none of that can do stands in ``SHOWN`` and ``ELSEWHERE``, with a reason.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import duckdb
import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
import sqlalchemy as sa

from pipelines.running.beam_options import refuse_unknown, runner_of
from runners.beam.private import flag_parser, flags_of, option_classes
from sinks.database.engine import dispose_engines
from sinks.database.tables import metadata
from sinks.jobs.queue import SqlJobQueue
from sinks.table.config import SqlConfig
from sluice.command import main
from sluice.table import COMMANDS, Command
from sources.by_uri import source_for
from sources.jobs.source import JobsSource
from tests.code_blocks import (
    BLOCKS,
    ELSEWHERE,
    PLAYED,
    RUN,
    SHOWN,
    TRIED,
    UNRUN,
    Block,
    blocks_in,
    commands_of,
    label,
    lines_of,
    program_of,
    script_of,
)
from tests.options_page import SCHEMA
from tests.pages.page import commands_in
from tests.pages.substitutions import SUBSTITUTIONS
from tests.test_api import documented
from tests.test_docs import PAGES, ROOT
from transforms.errors import ConfigError
from transforms.mapping.mapping import Mapping
from transforms.mapping.reading.document import parsed
from transforms.route.routes import Routes
from transforms.steps.pipeline_identity import PipelineIdentity

NOT_OURS = {
    "--profile": "Docker Compose",
    "--scale": "Docker Compose",
    "--no-compile": "pip",
    "--minutes": "examples/",
    "--rate": "examples/",
    "--seed": "examples/",
    "--folder": "runners.flink.local, benchmarks/",
    "--slots": "runners.flink.local",
    "--kafka_records": "benchmarks/",
    "--peers": "benchmarks/",
    "--records": "benchmarks/",
    "--write": "benchmarks/",
}
"""Options within sentences that belong to no command: whose they are."""

OURS = {command.name: command for command in COMMANDS} | {
    command.program.removeprefix("python -m "): command for command in COMMANDS
}
"""Our commands, by name and by module."""


def of(language: str) -> pytest.MarkDecorator:
    """The blocks in a language that are checked here."""
    chosen = [block for block in UNRUN if block.language == language]
    return pytest.mark.parametrize("block", chosen, ids=label)


def test_every_block_is_run_or_has_a_reason() -> None:
    """Shell blocks are played; yaml, python and sql are run here; the programs of ``ELSEWHERE`` have a reason."""
    run = [
        block for block in UNRUN if block.played_in or block.language in {"yaml", "python", "sql"}
    ]
    others = [block for block in UNRUN if block not in run]
    assert [
        label(block) for block in others if block.language != "shell" or list(lines_of(block))
    ] == []


@pytest.mark.parametrize(("subject", "test"), PLAYED.items(), ids=lambda value: str(value))
def test_what_is_played_with_substitutions_is_there_and_names_its_page(
    subject: tuple[str, str], test: str
) -> None:
    page, begins = subject
    blocks = [block for block in BLOCKS if block.page == page and block.played_in == test]
    assert [block for block in blocks if begins == "*" or block.text.startswith(begins)]
    text = (ROOT / test).read_text()
    assert f'"{page}"' in text
    assert begins == "*" or f'"{begins}' in text


def test_every_substitution_is_of_use() -> None:
    played = {page: "\n".join(commands_in(page)) for page in SUBSTITUTIONS}
    unused = [
        (page, text)
        for page, texts in SUBSTITUTIONS.items()
        for text in texts
        if text not in played[page]
    ]
    assert unused == []


def test_what_is_compared_is_there_and_names_its_page() -> None:
    for page, starts in TRIED.items():
        for start, test in starts.items():
            blocks = [block for block in BLOCKS if block.page == page and block.tried_in == test]
            assert [block for block in blocks if block.text.startswith(start)], (page, start)
            assert f'"{page}"' in (ROOT / test).read_text(), (page, start)


@pytest.mark.parametrize(("subject", "test"), RUN.items(), ids=lambda value: str(value))
def test_what_runs_elsewhere_is_there_and_names_its_page(
    subject: tuple[str, str], test: str
) -> None:
    pattern, kind = subject
    chosen = [block for block in BLOCKS if block.runs_in == test and fnmatch(block.page, pattern)]
    assert [block for block in chosen if kind in {"*", block.kind}]
    path = Path(pattern)
    name = path.parent.name if "*" in path.name else path.name
    assert f'"{name}' in (ROOT / test).read_text()


def test_every_reason_is_one_for_a_block() -> None:
    listed = {(page, start) for page, starts in SHOWN.items() for start in starts}
    used = {
        (block.page, start)
        for block in BLOCKS
        for start in SHOWN.get(block.page, ())
        if block.text.startswith(start)
    }
    assert listed - used == set()


def check_ours(words: list[str], *, whole: bool) -> None:
    """Parse a command of ours.

    Args:
        words: Without ``sluice``, or without ``python -m``; ``…`` stands for what is left out.
        whole: Whether all that the command needs is there.

    Raises:
        ConfigError: There is no such command, or it does not take these options.
    """
    name, *rest = words
    if words in (["--version"], ["--help"]):
        return
    command = OURS.get(name.replace("_", "-")) or OURS.get(name)
    if command is None:
        raise ConfigError(f"there is no command {name}")
    argv = [word.strip("[]") for word in rest if word != "…"]
    argv = ["sqlite:///a.db" if word == "URL" else word for word in argv]
    parser = command.load().parser()
    if not whole or "…" in rest:
        relax(parser)
    if command.name != "ingest":
        parser.parse_args(argv)
        return
    flags, others = parser.parse_known_args(argv)
    runner_of(flags.runner)
    refuse_unknown(others, parser, argv)


def relax(parser: argparse.ArgumentParser) -> None:
    """Let a parser take commands without what they need."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                relax(below)
        elif action.option_strings:
            action.required = False
    for group in parser._mutually_exclusive_groups:
        group.required = False


@of("shell")
def test_a_shell_takes_the_block_and_our_commands_take_their_options(block: Block) -> None:
    script = script_of(block.text)
    subprocess.run(["bash", "-n", "-c", script], check=True)
    commands = list(commands_of(script))
    assert commands
    for words in commands:
        program, rest = program_of(words), words[1:]
        if program == "…":
            program, *rest = rest
        if program == "sluice":
            check_ours(rest, whole=True)
        elif program == "python" and rest[0] == "-m" and rest[1] in OURS:
            check_ours(rest[1:], whole=True)
        elif program == "make":
            subprocess.run(
                ["make", "--dry-run", "--no-print-directory", *rest],
                cwd=ROOT,
                check=True,
                capture_output=True,
            )
        elif program == "python" and rest[0] == "-m":
            assert find_spec(rest[1])
        else:
            assert program in ELSEWHERE or block.played_in


INLINE = {
    (page.relative_to(ROOT).as_posix(), text)
    for page in PAGES
    for text in re.findall(
        r"`((?:sluice |--)[^`\n]+)`",
        re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL),
    )
}
"""The commands and options within sentences, with their pages."""


@cache
def words_of(command: Command) -> tuple[frozenset[str], frozenset[str]]:
    """The options of a command, and the names of what it does; with underscores."""
    options: set[str] = set()
    names: set[str] = set()
    parsers = [command.load().parser()]
    for parser in parsers:
        for action in parser._actions:
            options |= set(action.option_strings)
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
            if not action.option_strings:
                names |= set(action.choices or ())
    return frozenset(plain(word) for word in options), frozenset(map(plain, names))


def plain(word: str) -> str:
    """A word as all spellings of it are compared."""
    return word.partition("=")[0].replace("-", "_")


def unknown(text: str) -> list[str]:
    """What no command knows in a command, or an option, within a sentence."""
    name, *rest = text.removeprefix("sluice ").split()
    if text.startswith("--"):
        chosen, rest = list(COMMANDS), text.split()
    elif name.isupper() or name.startswith("--"):
        return []
    elif name.replace("_", "-") in OURS:
        chosen = [OURS[name.replace("_", "-")]]
    else:
        return [name]
    options = {word for command in chosen for word in words_of(command)[0]}
    wrong = [word for word in rest if word.startswith("--") and plain(word) not in options]
    names = words_of(chosen[0])[1] if len(chosen) == 1 else frozenset()
    if names and rest and re.fullmatch(r"[a-z|_-]+", rest[0]):
        wrong += [word for word in rest[0].split("|") if plain(word) not in names]
    return wrong


def test_commands_and_options_within_sentences_are_there() -> None:
    runner_of("FlinkRunner")  # the one with the most options of Beam's
    beam = {
        name for flag in flags_of(flag_parser(option_classes())) for name in flag.option_strings
    }
    wrong = {(page, word) for page, text in INLINE for word in unknown(text) if "…" not in word}
    others = {plain(word) for word in beam | NOT_OURS.keys()}
    assert len(INLINE) > 100
    assert sorted((page, word) for page, word in wrong if plain(word) not in others) == []
    assert sorted(NOT_OURS.keys() - {word for _, word in wrong}) == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.reason], ids=label)
def test_a_command_within_another_program_takes_its_options(block: Block) -> None:
    for text in re.findall(r'/bin/sluice ([^"\n]*)', block.text):
        (words,) = list(commands_of(text))
        check_ours(words, whole=True)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind == "yaml"], ids=label)
def test_the_schema_of_pipeline_files_takes_each_of_them(block: Block) -> None:
    value = parsed(block.text, label(block)).plain
    if isinstance(value, dict) and "source" in value and "wrong" not in block.name:
        schema = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
        assert list(schema.iter_errors(value)) == []


@of("yaml")
def test_what_reads_such_a_file_takes_the_block(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = parsed(block.text, label(block))
    if isinstance(part.plain, list):
        Mapping.from_part(part)
    elif "routes" in part.plain:
        Routes.from_part(part, tmp_path)
    else:
        assert "cases" in part.plain, "a file of cases"
        monkeypatch.chdir(tmp_path)
        Path("customers.map.yaml").write_text("[rename: {Customer ID: id}, cast: {id: integer}]")
        Path("a.test.yaml").write_text(block.text)
        assert main(["test", "a.test.yaml"]) == 0


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind in {"json", "toml"}], ids=label)
def test_json_and_toml_can_be_read(block: Block) -> None:
    if block.kind == "toml":
        tomllib.loads(block.text)
    else:
        texts = block.text.splitlines() if block.name.endswith(".jsonl") else [block.text]
        assert [json.loads(text) for text in texts]


@of("python")
def test_a_program_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the names of docs/api.md, and what the text around a part of a program has."""
    monkeypatch.chdir(tmp_path)
    Path("orders.jsonl").write_text('{"id": 1}\n')
    names = {name: getattr(import_module(module), name) for name, module in documented().items()}
    names["config"] = names["sql"] = SqlConfig.of("sqlite:///a.db", "orders", key=["id"])
    names["identity"] = PipelineIdentity("orders")
    names["orders"] = source_for("./orders.jsonl")
    names["jobs"] = JobsSource(SqlJobQueue(names["sql"], pipeline=names["identity"]))
    exec(compile(block.text, label(block), "exec"), names)
    dispose_engines()


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "python"], ids=label)
def test_a_program_can_be_compiled(block: Block) -> None:
    compile(dedent(block.text), label(block), "exec")  # a method of a class, too


@of("sql")
def test_a_database_takes_the_statement(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "read_parquet" in block.text:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "dataset" / "day=1").mkdir(parents=True)
        duckdb.sql("COPY (SELECT 1 AS id) TO 'dataset/day=1/a.parquet'")
        assert duckdb.execute(block.text).fetchall() == [(1, 1)]
        return
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.exec_driver_sql(f"EXPLAIN {block.text}")
    engine.dispose()


class TestTheReadingOfAPage:
    def test_blocks_are_fenced_or_indented(self, tmp_path: Path) -> None:
        page = ROOT / "docs" / "none.md"
        text = (
            "a\n\n    b\n\n      c\n\n```` ```d ````\n```yaml e\nf: 1\n\n    g\n```\n- h\n    i\n"
        )
        parts = list(blocks_in(text, page))
        assert [(b.line, b.kind, b.name, b.text) for b in parts] == [
            (3, "", "", "b\n\n  c\n"),
            (9, "yaml", "e", "f: 1\n\n    g\n"),
        ]

    def test_commands_have_their_words(self) -> None:
        text = "$ export A='x y'\n1\n$ sluice a \\\n    --b c > d 2>&1 | e   # f\n"
        assert list(commands_of(script_of(text))) == [
            ["export", "A=x y"],
            ["sluice", "a", "--b", "c"],
            ["e"],
        ]

    @pytest.mark.parametrize(
        "words",
        [
            ["audt", "--sink", "URL"],
            ["audit", "--snk", "URL"],
            ["audit"],
            ["ingest", "--source", "a", "--sink", "URL", "--no_such_option"],
            ["dead-letters", "replay", "--sink", "URL", "--reasn", "x"],
        ],
    )
    def test_a_mistake_in_a_command_is_seen(self, words: list[str]) -> None:
        with pytest.raises((ConfigError, SystemExit)):
            check_ours(words, whole=True)
