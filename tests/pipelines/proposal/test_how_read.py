from __future__ import annotations

from pipelines.command import Parser
from pipelines.ingestion.flags import parser as parser_of_ingest
from pipelines.proposal.how_read import HOW_READ, add_how_read


def test_the_options_are_those_of_ingest() -> None:
    parser = Parser()
    add_how_read(parser)
    of_ingest = {action.dest: action for action in parser_of_ingest().actions()}
    own = {action.dest: action for action in parser.actions() if action.dest != "help"}
    assert own.keys() == set(HOW_READ)
    for name, action in own.items():
        assert action.help == of_ingest[name].help
        assert repr(action.type) == repr(of_ingest[name].type)
        assert action.default == of_ingest[name].default


def test_they_are_parsed_with_hyphens_and_once() -> None:
    parser = Parser()
    add_how_read(parser)
    argv = ["--csv-delimiter", ";", "--csv_null", "NA", "--csv_null=-"]
    flags = parser.parse_args(argv)
    assert (flags.csv_delimiter, flags.csv_null, flags.format) == (";", ["NA", "-"], "auto")
