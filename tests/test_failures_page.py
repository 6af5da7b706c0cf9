"""docs/failures.md has the categories that the code gives, and no others.

The codes of databases, S3 and Kafka are held by the tests of what reads them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.test_architecture import FILES
from tests.test_docs import ROOT

PAGE = (ROOT / "docs" / "failures.md").read_text()

POSITION = {
    "Reject": 1,
    "ObjectFailed": 1,
    "EndsEarly": 1,
    "Poison": 1,
    "RefusedRecord": 2,
    "Failure.of": 2,
    "Failure": None,
    "replace": None,
}
"""Which argument of a call is the category; None where it is only given by name."""

CALL = re.compile(
    r"\b(?:Reject|ObjectFailed|EndsEarly|Poison|RefusedRecord|Failure(?:\.of)?)\(|category=|\"Category of"
)


@cache
def texts() -> list[str]:
    """The text of every module in which a category may be given."""
    return [text for path in FILES.values() if CALL.search(text := path.read_text())]


@cache
def constants() -> dict[str, set[str]]:
    """The words that stand for categories under a name, by that name: their docstring says so."""
    named: dict[str, set[str]] = {}
    for text in texts():
        for name, word in re.findall(r'^([A-Z_]+) = "(\w+)"\n"""Category of', text, re.MULTILINE):
            named.setdefault(name, set()).add(word)
    return named


def categories_of(tree: ast.AST) -> Iterator[str]:
    """The categories that the calls of a module give."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        position = POSITION.get(ast.unparse(node.func), -1)
        if position == -1:
            continue
        values = [word.value for word in node.keywords if word.arg == "category"]
        if position is not None and len(node.args) > position:
            values.append(node.args[position])
        for part in (part for value in values for part in ast.walk(value)):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value
            elif isinstance(part, ast.Name):
                yield from constants().get(part.id, ())


@cache
def in_code() -> set[str]:
    """Every category that the code gives to a record."""
    trees = [ast.parse(text) for text in texts()]
    named = {word for words in constants().values() for word in words}
    return {word for tree in trees for word in categories_of(tree)} | named | {"rejected"}


def test_the_page_has_every_category_of_the_code() -> None:
    words = set(re.findall(r"`(\w+)`", PAGE))
    assert len(in_code()) > 25
    assert sorted(in_code() - words) == []


def test_every_category_of_the_table_of_records_is_given_by_the_code() -> None:
    table = PAGE.partition("## Records\n")[2].partition("\n\n`pattern_limit`:")[0]
    cells = [re.split(r"(?<!\\)\|", line)[3] for line in table.splitlines() if line[:2] == "| "]
    words = {
        word for cell in cells for word in re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", cell))
    }
    every = "\n".join(texts())
    assert len(words) > 25
    assert [word for word in sorted(words) if f'"{word}"' not in every] == []


def test_a_category_is_seen_in_a_call() -> None:
    tree = ast.parse(
        "Reject('m', 'a')\nFailure.of(r, 's', 'b', e)\nreplace(x, category='c')\n"
        "ObjectFailed('m', 'd' if x else 'e')\nprint('m', 'f')\n"
    )
    assert list(categories_of(tree)) == ["a", "b", "c", "d", "e"]
