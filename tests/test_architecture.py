"""Rules about the tree that no linter knows."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

FOLDERS = {
    "transforms": ROOT / "transforms",
    "runners": ROOT / "runners",
    "clients": ROOT / "io" / "clients",
    "sources": ROOT / "io" / "sources",
    "sinks": ROOT / "io" / "sinks",
    "pipelines": ROOT / "pipelines",
    "sluice": ROOT / "sluice",
}
"""Package by package, where it is; anything else of ours is code that nothing may import."""

TRANSFORMS = {
    "transforms",
    "transforms.batch",
    "transforms.envelope",
    "transforms.mapping",
    "transforms.parse",
    "transforms.read",
    "transforms.route",
    "transforms.settle",
    "transforms.steps",
}
CLIENTS = {"clients", "clients.kafka", "clients.registry"}
SOURCES = {"sources", "sources.files", "sources.jobs", "sources.kafka", "sources.storage"}
SINKS = {
    "sinks",
    "sinks.bulk",
    "sinks.console",
    "sinks.control",
    "sinks.database",
    "sinks.dead",
    "sinks.dead_letters",
    "sinks.figures",
    "sinks.forgetting",
    "sinks.jobs",
    "sinks.ledger",
    "sinks.objects",
    "sinks.order",
    "sinks.objects.checks",
    "sinks.objects.compaction",
    "sinks.outbox",
    "sinks.evolution",
    "sinks.expiry",
    "sinks.rewind",
    "sinks.runs",
    "sinks.table",
    "sinks.text",
}

WINGS = {
    "transforms": set(),
    "transforms.batch": {"transforms"},
    "transforms.steps": {"transforms", "transforms.batch"},
    "transforms.parse": {"transforms", "transforms.batch", "transforms.steps"},
    "transforms.mapping": {
        "transforms",
        "transforms.batch",
        "transforms.parse",
        "transforms.steps",
    },
    "transforms.read": {"transforms", "transforms.batch", "transforms.steps"},
    "transforms.route": {
        "transforms",
        "transforms.batch",
        "transforms.mapping",
        "transforms.parse",
        "transforms.settle",  # the bounds of a table
        "transforms.steps",
    },
    "transforms.envelope": {
        "transforms",
        "transforms.batch",
        "transforms.mapping",
        "transforms.parse",
        "transforms.route",  # its conditions
        "transforms.steps",
    },
    "transforms.settle": {"transforms", "transforms.batch", "transforms.read"},
    "clients": {"transforms", "transforms.batch"},
    "clients.kafka": {"clients", "transforms", "transforms.batch"},
    "clients.registry": {"clients", "transforms", "transforms.parse"},
    "sources.storage": CLIENTS | TRANSFORMS,
    "sources.files": {"sources.storage"} | CLIENTS | TRANSFORMS,
    "sources.jobs": TRANSFORMS,
    "sources.kafka": {"sources.files"} | CLIENTS | TRANSFORMS,  # how text is laid out
    "sources": SOURCES | CLIENTS | TRANSFORMS,
    "sinks.text": TRANSFORMS,
    "sinks.database": {"sinks.text"} | TRANSFORMS,
    "sinks.ledger": {"sinks.database", "sinks.text"} | TRANSFORMS,
    "sinks.table": {"sinks.database", "sinks.text"} | TRANSFORMS,
    "sinks.order": {"sinks.database", "sinks.table", "sinks.text"} | TRANSFORMS,
    "sinks.dead": {"sinks.database", "sinks.text"} | TRANSFORMS,
    "sinks.expiry": {"sinks.database", "sinks.ledger"} | TRANSFORMS,
    "sinks.jobs": {"sinks.database", "sinks.dead", "sinks.expiry", "sinks.ledger", "sinks.text"}
    | TRANSFORMS,
    "sinks.bulk": {"sinks.database", "sinks.jobs", "sinks.ledger", "sinks.text"} | TRANSFORMS,
    "sinks.console": {
        "sinks.bulk",
        "sinks.control",
        "sinks.database",
        "sinks.figures",
        "sinks.jobs",
        "sinks.ledger",
        "sinks.runs",
        "sinks.table",
        "sinks.text",
    }
    | TRANSFORMS,
    "sinks.objects": {"sinks.database", "sinks.ledger", "sinks.text"} | CLIENTS | TRANSFORMS,
    "sinks.objects.checks": {"sinks.database", "sinks.objects"} | TRANSFORMS,
    "sinks.objects.compaction": {"sinks.database", "sinks.jobs", "sinks.objects"}  # the audit trail
    | CLIENTS
    | TRANSFORMS,
    "sinks.outbox": {"sinks.database", "sinks.ledger", "sinks.text"} | CLIENTS | TRANSFORMS,
    "sinks.dead_letters": CLIENTS | TRANSFORMS,
    "sinks.runs": {"sinks.database"} | TRANSFORMS,
    "sinks.evolution": {
        "sinks.database",
        "sinks.jobs",
        "sinks.table",
        "sinks.text",
    }  # the audit trail
    | TRANSFORMS,
    "sinks.rewind": {
        "sinks.database",
        "sinks.dead",
        "sinks.expiry",
        "sinks.jobs",
        "sinks.ledger",
        "sinks.runs",
        "sinks.text",
    }
    | TRANSFORMS,
    "sinks.control": {
        "sinks.database",
        "sinks.jobs",
        "sinks.runs",
        "sinks.text",
    }  # audit, heartbeats
    | TRANSFORMS,
    "sinks.figures": {"sinks.database", "sinks.jobs", "sinks.ledger", "sinks.runs"} | TRANSFORMS,
    "sinks.forgetting": {"sinks.database", "sinks.figures", "sinks.jobs", "sinks.ledger"}
    | TRANSFORMS,
    "sinks": SINKS | CLIENTS | TRANSFORMS,
    "runners": set(),
    "runners.flink": {"runners"},
    "runners.flink.local": {"runners", "runners.flink"},
    "runners.prism": {"runners"},
    "pipelines": {"runners"} | SOURCES | SINKS | CLIENTS | TRANSFORMS,
    "sluice": {"pipelines", "runners", "runners.flink"},  # whose jobs are a command
}
"""Which wings each wing may import; a folder without an entry belongs to the one around it."""

MOST_FILES = 16
MOST_LINES = 400
LONGEST_CHAIN = 7

OURS = {*FOLDERS, "benchmarks", "examples", "tests"}

SAYS_NOTHING = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}

PRONOUNS = {"found", "known", "made", "given", "each"}
"""Names that say nothing of a value, outside of a comprehension or a lambda."""

WITHOUT_A_TEST: dict[str, str] = {}
"""Modules with behaviour that need no test file of their name, and why."""

FILES = {
    ".".join((package, *path.relative_to(folder).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for package, folder in FOLDERS.items()
    for path in sorted(folder.rglob("*.py"))
}
"""Production code: the path of every module, by its dotted name."""

TESTS = sorted((ROOT / "tests").rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def offences(
    paths: Iterable[Path], rule: Callable[[ast.Module], Iterable[str]]
) -> dict[str, list[str]]:
    """What breaks a rule, by file; files that keep to it are left out.

    One test looks at all files: a test for each would cost more than looking.
    """
    lists = {path.relative_to(ROOT).as_posix(): list(rule(tree_of(path))) for path in paths}
    return {path: offenders for path, offenders in lists.items() if offenders}


def pronouns(tree: ast.AST) -> set[str]:
    """The pronouns that serve as names."""
    return PRONOUNS.intersection(named(tree))


def imported(tree: ast.AST) -> Iterator[str]:
    """Every name that an import statement may mean a module by, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports_of(name: str) -> set[str]:
    """The modules of ours that the module ``name`` imports; packages are not counted."""
    modules = FILES.keys() & set(imported(tree_of(FILES[name])))
    return {module for module in modules if FILES[module].name != "__init__.py"} - {name}


def wing_of(name: str) -> str:
    """The wing that a module belongs to: the longest entry of ``WINGS`` that it lies in."""
    parts = name.split(".")
    lengths = range(len(parts), 0, -1)
    return next(wing for length in lengths if (wing := ".".join(parts[:length])) in WINGS)


def circles(graph: Mapping[str, set[str]]) -> set[str]:
    """The nodes that can be reached from themselves."""

    def reachable(start: str) -> set[str]:
        reached: set[str] = set()
        ahead = [start]
        while ahead:
            new = graph.get(ahead.pop(), set()) - reached
            reached |= new
            ahead += new
        return reached

    return {node for node in graph if node in reachable(node)}


def longest_chain(graph: Mapping[str, set[str]]) -> int:
    """How many nodes the longest path of a graph without circles has."""

    @cache
    def length(node: str) -> int:
        return 1 + max(map(length, graph[node]), default=0)

    return max(map(length, graph), default=0)


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


def has_behaviour(tree: ast.Module) -> bool:
    """Whether a module has a function with a body, outside of its contracts (``Protocol``)."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            if any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases):
                continue
            functions = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        else:
            functions = [node] if isinstance(node, ast.FunctionDef) else []
        if functions:
            return True
    return False


def named(tree: ast.AST) -> Iterator[str]:
    """Every name that is bound outside of comprehensions and lambdas."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            yield from (
                argument.arg
                for argument in (
                    *arguments.posonlyargs,
                    *arguments.args,
                    *arguments.kwonlyargs,
                    *filter(None, (arguments.vararg, arguments.kwarg)),
                )
            )
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(
            node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr | ast.For | ast.AsyncFor
        ):
            targets = [node.target]
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            targets = [node.optional_vars]
        for target in targets:
            for part in ast.walk(target):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    yield part.id


def test_databases_differ_behind_one_interface() -> None:
    dialects = FOLDERS["sinks"] / "database"
    paths = [path for path in FILES.values() if dialects not in path.parents]
    assert offences(paths, asked_of_a_dialect) == {}


class TestImports:
    def test_a_wing_imports_only_what_it_may(self) -> None:
        forbidden = {}
        for name in FILES:
            wing = wing_of(name)
            wings = {wing_of(module) for module in imports_of(name)}
            forbidden[name] = wings - WINGS[wing] - {wing}
        assert {name: wings for name, wings in forbidden.items() if wings} == {}

    def test_nothing_imports_tests_benchmarks_or_examples(self) -> None:
        def outside(tree: ast.AST) -> set[str]:
            packages = {module.partition(".")[0] for module in imported(tree)}
            return OURS & packages - FOLDERS.keys()

        assert offences(FILES.values(), outside) == {}

    def test_no_modules_import_each_other_in_a_circle(self) -> None:
        assert circles({name: imports_of(name) for name in FILES}) == set()

    def test_no_wings_may_import_each_other_in_a_circle(self) -> None:
        assert circles({wing: others - {wing} for wing, others in WINGS.items()}) == set()

    def test_a_chain_of_imports_inside_a_folder_is_short(self) -> None:
        folders: dict[Path, set[str]] = defaultdict(set)
        for name, path in FILES.items():
            folders[path.parent].add(name)
        chains = {
            folder.relative_to(ROOT).as_posix(): longest_chain(
                {name: imports_of(name) & names for name in names}
            )
            for folder, names in folders.items()
        }
        assert {folder: n for folder, n in chains.items() if n > LONGEST_CHAIN} == {}

    def test_every_wing_is_there(self) -> None:
        assert {wing_of(name) for name in FILES} == set(WINGS)


class TestShape:
    def test_no_folder_has_too_many_files(self) -> None:
        folders = {path.parent for path in FILES.values()}
        sizes = {folder: len(list(folder.glob("*.py"))) for folder in folders}
        assert {
            folder.relative_to(ROOT).as_posix(): size
            for folder, size in sizes.items()
            if size > MOST_FILES
        } == {}

    def test_no_file_is_too_long(self) -> None:
        lengths = {name: path.read_text().count("\n") for name, path in FILES.items()}
        assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}

    def test_a_package_is_one_docstring(self) -> None:
        def besides(tree: ast.Module) -> Iterator[str]:
            if not ast.get_docstring(tree):
                yield "no docstring"
            yield from map(ast.unparse, tree.body[1:])

        packages = [path for path in FILES.values() if path.name == "__init__.py"]
        assert packages
        assert offences(packages, besides) == {}

    def test_every_module_with_behaviour_has_a_test_of_its_name(self) -> None:
        untested = {
            name
            for name, path in FILES.items()
            if not path.name.startswith("__") and has_behaviour(tree_of(path))
            if not (ROOT / "tests" / path.relative_to(ROOT).parent / f"test_{path.name}").exists()
        }
        assert sorted(untested - WITHOUT_A_TEST.keys()) == []
        assert sorted(WITHOUT_A_TEST.keys() - untested) == [], "these have one, or are gone"

    def test_the_name_io_stays_the_standard_librarys(self) -> None:
        assert not (ROOT / "io" / "__init__.py").exists()


class TestWords:
    def test_everything_public_has_a_docstring(self) -> None:
        assert offences(FILES.values(), undocumented) == {}

    def test_production_names_values_by_nouns(self) -> None:
        assert offences(FILES.values(), pronouns) == {}

    def test_tests_name_values_by_nouns(self) -> None:
        # Not by ``offences``: it would keep the trees of more code than all the other rules look at.
        names = {path.name: pronouns(ast.parse(path.read_text())) for path in TESTS}
        assert {name: words for name, words in names.items() if words} == {}

    def test_no_module_has_a_name_that_says_nothing(self) -> None:
        paths = [path for folder in FOLDERS.values() for path in folder.rglob("*")]
        words = {word for path in paths for word in path.stem.split("_")}
        assert words.isdisjoint(SAYS_NOTHING)


class TestTheRulesThemselves:
    def test_an_offence_stands_by_its_file(self) -> None:
        paths = [ROOT / "tests" / "test_architecture.py", ROOT / "tests" / "waiting.py"]
        lists = offences(paths, lambda tree: ["an offence"] if "TESTS" in set(named(tree)) else [])
        assert lists == {"tests/test_architecture.py": ["an offence"]}

    def test_an_import_is_seen_wherever_it_stands(self) -> None:
        tree = ast.parse(
            "import sinks.sql as s\nfrom sources import files\n"
            "def f():\n    from transforms.read.read import x\n"
        )
        assert {"sinks.sql", "sources.files", "transforms.read.read"} <= set(imported(tree))

    def test_every_package_is_looked_at(self) -> None:
        assert {name.partition(".")[0] for name in FILES} == FOLDERS.keys()

    def test_a_module_belongs_to_the_innermost_wing_that_has_an_entry(self) -> None:
        assert wing_of("runners.flink.local.cluster") == "runners.flink.local"
        assert wing_of("runners.direct") == "runners"
        assert wing_of("sources.files.csv.head") == "sources.files"

    def test_a_circle_is_seen_and_a_chain_measured(self) -> None:
        assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {"b", "c"}
        assert longest_chain({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == 3

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

    def test_names_in_comprehensions_and_lambdas_are_free(self) -> None:
        free = ast.parse("[each for each in x if (lambda given: given)(each)]")
        assert list(named(free)) == []
        bound = ast.parse(
            "def f(made, *known):\n    for each, (n, found) in x: pass\n    with a as given: pass\n"
        )
        assert pronouns(bound) == PRONOUNS

    def test_contracts_and_plain_data_have_no_behaviour(self) -> None:
        contract = "class C(Protocol):\n    def f(self): ...\n"
        assert not has_behaviour(ast.parse(contract + "class D:\n    x: int\nN = 1\n"))
        assert has_behaviour(ast.parse("class D:\n    def f(self): return 1\n"))
        assert has_behaviour(ast.parse("def _f(): return 1\n"))
