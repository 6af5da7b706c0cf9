"""From the flags of ``init`` to the file: read the sample, decide, write what is not there yet."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from clients.kafka.address import SCHEME as KAFKA_SCHEME
from pipelines.ingestion.configuring.registry_flags import with_registry
from pipelines.ingestion.configuring.sources import sources_of
from pipelines.ingestion.flags import parser as parser_of_ingest
from pipelines.planning.sample import MOST_SECONDS, Bounds
from pipelines.proposal.draft import Draft, columns_of, keys_of, message_key_of
from pipelines.proposal.how_read import HOW_READ
from pipelines.proposal.names import identifier, table_of
from pipelines.proposal.pipeline_text import amount, text_of
from pipelines.proposal.sampling.sample import Sample, taken
from pipelines.proposal.subject import subject_of
from pipelines.proposal.yaml_text import scalar
from pipelines.terminal import safe
from sources.files.formats import stored_format_of
from transforms.errors import ConfigError, ObjectFailed, SluiceError
from transforms.parse.json_text import encode_json
from transforms.parse.parse import ParseConfig
from transforms.route.table_name import TableName
from transforms.secret_urls import conceal_url
from transforms.secrets import REFERENCE, is_secret

STDOUT = "-"

_LOG_IN = re.compile(r"://[^/?#]*:[^/?#]*@")
_SQLITE = re.compile(r"(?P<scheme>sqlite(?:\+\w+)?:///)(?P<path>[^/:?][^?]*)")


def propose(flags: argparse.Namespace) -> None:
    """Write the pipeline file that ``flags`` ask for, and say so in one line.

    Raises:
        ConfigError: The file is there already or cannot be written, an option is wrong or would
            write a password into the file, or the source has no record that can be read.
        SourceUnavailable: The source cannot be reached.
    """
    _refuse_passwords(flags)
    if REFERENCE.search(flags.source):
        raise ConfigError(
            "SOURCE has a ${…}, which the file would take for a reference: name it as it is, or by a glob"
        )
    table = flags.table or table_of(flags.source)
    output = flags.output or f"{identifier(TableName.parse(table).name)}.yaml"
    folder = Path() if output == STDOUT else Path(output).parent
    for option, name in (("--output", output), ("--schema_file", flags.schema_file)):
        if name is not None and name != STDOUT:
            _refuse_what_is_there(option, Path(name))
    options, remarks = _options(flags), dict[str, str]()
    sample = _sample(flags, options, remarks)
    draft = _draft(flags, table, folder, sample, options, remarks)
    schema_file = flags.schema_file if flags.schema_file and draft.columns else ""
    relative = _relative(schema_file, folder) if schema_file else ""
    text = text_of(draft, "" if output == STDOUT else output, relative)
    if schema_file:
        _write("--schema_file", Path(schema_file), encode_json(draft.json_schema).decode() + "\n")
    if output == STDOUT:
        print(text, end="")
        return
    _write("--output", Path(output), text)
    print(safe(_outcome(draft, output)))


def _outcome(draft: Draft, output: str) -> str:
    count = len(draft.columns)
    columns = f"{count:,} column{'s' if count != 1 else ''}" if count else "whole records"
    key = f"the key {', '.join(draft.key)}" if draft.key else "no key"
    name = scalar(output)
    refused = draft.sample.refused.total()
    more = f" ({refused:,} more cannot be read)" if refused else ""
    return (
        f"wrote {name}: {columns} and {key}, from {amount(draft.sample)}{more}; read it, then: "
        f"sluice validate {name}"
    )


def _draft(
    flags: argparse.Namespace,
    table: str,
    folder: Path,
    sample: Sample,
    options: dict[str, Any],
    remarks: dict[str, str],
) -> Draft:
    columns, renamed = columns_of(sample)
    pipeline = identifier(table)
    follows = not renamed and not flags.schema_file
    follows = follows and not any(proposed.type.as_text for proposed in columns)
    names = [proposed.name for proposed in columns]
    draft = Draft(
        source=_source_from(flags.source, folder),
        sink=_sink_from(flags.sink, folder) if flags.sink else f"sqlite:///{pipeline}.db",
        table=table,
        pipeline=pipeline,
        options=options,
        remarks=remarks,
        sample=sample,
        columns=columns,
        renamed=renamed,
        keys=keys_of(columns, sample.survey.records, TableName.parse(table).name),
        message_key=message_key_of(sample, columns),
        subject=subject_of(flags, sample, names) if names and follows else "",
    )
    if sample.envelope not in (None, "none"):
        options["envelope"] = sample.envelope
        remarks["envelope"] = "what each message has its row in; the row is taken out of it"
    if sample.survey.several and not draft.key and "json_layout" not in options:
        options["json_layout"] = "array"
        remarks["json_layout"] = "messages are arrays, whose elements are the records"
    return draft


def _refuse_passwords(flags: argparse.Namespace) -> None:
    """Refuse secrets that are written out: the file is made to be kept and shown."""
    written_out = "is a password, and the file is made to be kept: write ${env:NAME} in its place"
    if flags.sink and conceal_url(flags.sink) != flags.sink:
        raise ConfigError(f"--sink {written_out}")
    for option in ("kafka_config", "schema_registry_config"):
        for name, _, value in (pair.partition("=") for pair in getattr(flags, option)):
            if is_secret(name) and value and not REFERENCE.search(value):
                raise ConfigError(f"--{option} {name} {written_out}")
    registry = flags.schema_registry or ""
    if _LOG_IN.search(registry) and not REFERENCE.search(registry):
        raise ConfigError(f"--schema_registry {written_out}")


def _refuse_what_is_there(option: str, path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise _there_already(option, path)
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}; create it")


def _there_already(option: str, path: Path) -> ConfigError:
    return ConfigError(f"{path} is there already; name another file with {option}")


def _write(option: str, path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _there_already(option, path) from None
    except OSError as error:
        raise SluiceError(
            f"{path} cannot be written ({error.strerror}); name another file"
        ) from None


def _options(flags: argparse.Namespace) -> dict[str, Any]:
    """What the user says about how the source is read, as a file has it."""
    defaults = vars(parser_of_ingest().parse_known_args([])[0])
    options = {
        name: getattr(flags, name) for name in HOW_READ if getattr(flags, name) != defaults[name]
    }
    for option in {"kafka_config", "schema_registry_config"} & options.keys():
        pairs = (pair.partition("=") for pair in options[option])
        options[option] = {name.strip(): value for name, _, value in pairs}
    if "csv_header" in options:
        options["csv_header"] = options["csv_header"] == "true"
    return options


def _sample(flags: argparse.Namespace, options: dict[str, Any], remarks: dict[str, str]) -> Sample:
    """The start of the source. Of a file of CSV without a header, options and remarks say so."""
    bounds = Bounds(records=flags.sample)
    try:
        return _taken(flags, bounds)
    except ConfigError:
        if flags.csv_header is not None or flags.csv_columns or not _is_csv(flags):
            raise
        flags.csv_header = "false"
        try:
            sample = _taken(flags, bounds)
        except SluiceError:
            sample = None
        if sample is None:
            raise  # what was said at first
    options["csv_header"] = False
    remarks["csv_header"] = (
        "the first line looks like data; if it has the names, write true; otherwise give names by "
        "csv_columns: a,b,…"
    )
    return sample


def _is_csv(flags: argparse.Namespace) -> bool:
    if flags.source.startswith(KAFKA_SCHEME):
        return False
    try:
        return stored_format_of(flags.source, flags.format).format == "csv"
    except ObjectFailed:
        return False


def _taken(flags: argparse.Namespace, bounds: Bounds) -> Sample:
    """The start of the source as an ingest has it, read by one reader."""
    options = parser_of_ingest().parse_known_args([])[0]
    for name in HOW_READ:
        setattr(options, name, getattr(flags, name))
    options.fair = None
    options.source = [flags.source]
    options.key = "any"  # so that messages may be arrays
    options.rest_seconds = 0.0
    options.outage_budget = MOST_SECONDS
    (source,) = sources_of(options, None, parallel=False)
    parse = with_registry(ParseConfig(), options)
    return taken(source, bounds, replace(parse, keys=parse.schemas is not None))


def _source_from(uri: str, folder: Path) -> str:
    """A source as a file in ``folder`` names it."""
    return uri if "://" in uri else _relative(uri, folder)


def _sink_from(url: str, folder: Path) -> str:
    """A database as a file in ``folder`` names it."""
    match = _SQLITE.match(url)
    if match is None or folder.resolve() == Path.cwd():
        return url
    return f"{match['scheme']}{_relative(match['path'], folder)}{url[match.end() :]}"


def _relative(path: str, folder: Path) -> str:
    """A path from here as one from ``folder``."""
    if os.path.isabs(path) or folder.resolve() == Path.cwd():
        return path
    moved = os.path.relpath(path, folder)
    return moved if moved.startswith("..") else f"./{moved}"
