"""Rules about the tree that no linter knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FOLDERS = {
    "transforms": ROOT / "transforms",
    "runners": ROOT / "runners",
    "clients": ROOT / "io" / "clients",
    "sources": ROOT / "io" / "sources",
    "sinks": ROOT / "io" / "sinks",
    "pipelines": ROOT / "pipelines",
}
"""Package by package, where it is; anything else of ours is code that nothing may import."""

MAY_IMPORT = {
    "transforms": {"transforms"},
    "runners": {"runners"},
    "clients": {"clients", "transforms"},
    "sources": {"clients", "sources", "transforms"},
    "sinks": {"clients", "sinks", "transforms"},
    "pipelines": {"clients", "pipelines", "runners", "sinks", "sources", "transforms"},
}

OURS = {*FOLDERS, "benchmarks", "examples", "tests"}

SAYS_NOTHING = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}

MODULES = [
    pytest.param(package, path, id=path.relative_to(ROOT).as_posix())
    for package, folder in FOLDERS.items()
    for path in sorted(folder.rglob("*.py"))
]


def imported(tree: ast.AST) -> Iterator[str]:
    """The top-level package of every import, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def asked_of_a_dialect(tree: ast.AST) -> Iterator[str]:
    """Where code asks which database it speaks to: a dialect's name or driver, compared or not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("name", "driver"):
            of = node.value
            name = of.attr if isinstance(of, ast.Attribute) else getattr(of, "id", "")
            if name == "dialect":
                yield ast.unparse(node)
        if isinstance(node, ast.Compare):
            literals = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
            if literals & {"postgresql", "sqlite"}:
                yield ast.unparse(node)


def undocumented(tree: ast.Module) -> Iterator[str]:
    """The module, its public classes and its public functions that lack a docstring."""
    if not ast.get_docstring(tree):
        yield "the module"
    for node in tree.body:
        if (
            isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ):
            yield node.name


@pytest.mark.parametrize(("package", "path"), MODULES)
def test_imports_point_one_way(package: str, path: Path) -> None:
    ours = OURS.intersection(imported(ast.parse(path.read_text())))
    assert ours <= MAY_IMPORT[package]


@pytest.mark.parametrize(("package", "path"), MODULES)
def test_everything_public_has_a_docstring(package: str, path: Path) -> None:
    assert list(undocumented(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.relative_to(ROOT).as_posix())
        for folder in FOLDERS.values()
        for path in sorted(folder.rglob("*.py"))
        if path.parent != FOLDERS["sinks"] / "database"
    ],
)
def test_databases_differ_behind_one_interface(path: Path) -> None:
    assert list(asked_of_a_dialect(ast.parse(path.read_text()))) == []


def test_every_package_is_looked_at() -> None:
    looked_at = {package for package in FOLDERS for each in MODULES if each.values[0] == package}
    assert looked_at == set(FOLDERS)


def test_no_module_has_a_name_that_says_nothing() -> None:
    paths = [path for folder in FOLDERS.values() for path in folder.rglob("*")]
    named = {part for path in paths for part in path.stem.split("_")}
    assert named.isdisjoint(SAYS_NOTHING)


def test_the_name_io_stays_the_standard_librarys() -> None:
    assert not (ROOT / "io" / "__init__.py").exists()


class TestTheRulesThemselves:
    def test_an_import_is_seen_wherever_it_stands(self) -> None:
        tree = ast.parse(
            "import sinks.sql as s\nfrom sources import files\n"
            "def f():\n    from transforms.read.read import x\n"
        )
        assert list(imported(tree)) == ["sinks", "sources", "transforms"]

    def test_whoever_asks_which_database_it_is_is_named(self) -> None:
        tree = ast.parse(
            "connection.dialect.name\ndialect.driver\nx == 'sqlite'\ny in ('postgresql', 'z')\n"
            "table.name\nkind = 'sqlite'\n"
        )
        assert list(asked_of_a_dialect(tree)) == [
            *("connection.dialect.name", "dialect.driver"),
            *("x == 'sqlite'", "y in ('postgresql', 'z')"),
        ]

    def test_what_lacks_a_docstring_is_named(self) -> None:
        tree = ast.parse("def f(): pass\nclass C:\n    'doc'\ndef _g(): pass\nclass D: pass\n")
        assert list(undocumented(tree)) == ["the module", "f", "D"]
