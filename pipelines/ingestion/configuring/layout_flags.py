"""The flags that say how values are laid out in files and messages of JSON and CSV."""

from __future__ import annotations

import argparse

from pipelines.command import Parser
from pipelines.flags import Described
from sources.files.json.options import LAYOUTS


def _lines(text: str) -> int:
    """A whole number; ``CsvOptions`` refuses one below 0."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None


def add_json(parser: Parser) -> None:
    """Add the flags of JSON."""
    add = parser.add_argument_group("JSON").add_argument
    add(
        "--json_layout",
        default="auto",
        choices=LAYOUTS,
        help="lines: one value a line; array: the elements of an array; sequence: values one after "
        "another, indented or without anything between them (default: auto, from the first 64 KiB "
        "of each file; a message is one value or, with --key, perhaps an array)",
    )
    add(
        "--json_path",
        default="",
        metavar="NAME[.NAME]",
        help="where the array is within an object, e.g. Records or data.items (default: nothing is "
        "around it)",
    )


def add_csv(parser: Parser) -> None:
    """Add the flags of CSV."""
    add = parser.add_argument_group("CSV").add_argument
    add(
        "--csv_delimiter",
        metavar="CHAR",
        help="between fields; TAB or \\t is a tab (default: detected from the first lines)",
    )
    add(
        "--csv_quote",
        default='"',
        metavar="CHAR",
        help='around fields; none for files without quotes (default: ")',
    )
    add(
        "--csv_escape",
        default="",
        metavar="CHAR",
        help="takes the special meaning from the next character, e.g. \\ (default: none)",
    )
    add(
        "--csv_header",
        choices=("true", "false"),
        help="whether the first line names the columns (default: true, and refused where it "
        "looks like data); with false and no --csv_columns they are column_1, column_2, …",
    )
    add(
        "--csv_columns",
        metavar="NAME[,NAME]",
        help="names of the columns, for files and messages without a header, or with --csv_header "
        "true instead of the header",
    )
    add(
        "--csv_skip",
        type=Described(_lines, {"type": "integer", "minimum": 0}),
        default=0,
        metavar="N",
        help="how many lines to leave out at the start of a file (default: 0)",
    )
    add(
        "--csv_comment",
        default="",
        metavar="CHAR",
        help="leave out lines that begin with it, e.g. '#' (default: none)",
    )
    add(
        "--csv_null",
        action="append",
        default=[],
        metavar="TEXT",
        help="an unquoted field with this text is NULL in every column, e.g. NA; may be repeated "
        "(default: only an empty field, and not in text columns)",
    )
