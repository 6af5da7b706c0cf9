"""The wheel works in a new environment, from inside a folder with packages called as ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import urllib.request
from pathlib import Path

import pytest

from tests.pages.page import commands_in, replaced

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[1]
BUILT_FROM = ("pyproject.toml", "README.md", "pipelines", "sluice", "transforms", "runners", "io")
OPTIONAL = ("LICENSE",)

AUTHOR = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in {"NAME": "Ann", "EMAIL": "ann@example.org"}.items()
}
"""Who makes the commit and the tag of a release."""

PROGRAM = """
import sys

from pipelines.ingest import ingest
from transforms.steps.each_record import EachRecord


def shout(record):
    return record.with_value({**record.value, "name": record.value["name"].upper()})


sys.exit(ingest(steps=[EachRecord(shout, "Shout")], source="people.csv", sink="sqlite:///loud.db",
                table="people", key="id", no_progress=True))
"""


def run(*command: str | Path, cwd: Path, code: int = 0, **environment: str) -> tuple[str, str]:
    """Run a program; returns what it printed on its two outputs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == code, done
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment that has the wheel, and what it depends on.

    docs/releasing.md says how the wheel is built and tried; only the image is left out.
    """
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    sources.mkdir()
    for name in (*BUILT_FROM, *(name for name in OPTIONAL if (ROOT / name).exists())):
        if (ROOT / name).is_dir():  # a copy, so that no build/ of an earlier one is packed
            shutil.copytree(
                ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, sources / name)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for argv in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "A"]):
        run("git", *argv, cwd=sources, code=0, **AUTHOR)
    here = {"folder": str(folder), "version": version}
    page = "docs/releasing.md"
    steps = [*commands_in(page, "git tag"), *commands_in(page, "python -m venv")]
    script = "\n".join(replaced(page, step, here) for step in steps)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    quiet = {
        "PIP_QUIET": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_DEPS": "1",
    }
    out, _ = run("bash", "-ec", script, cwd=sources, code=0, **AUTHOR, **quiet, PATH=path)
    assert out.splitlines()[-1] == f"sluice {version}"
    (wheel,) = (folder / "release" / "dist").glob("sluice-*.whl")
    assert wheel.name.startswith(f"sluice-{version}-")
    python = folder / "venv" / "bin" / "python"
    # A path in a .pth file is searched, but the .pth files in it, such as that of the editable
    # installation of this repository, are not read.
    site, _ = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
    )
    (Path(site.strip()) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


@pytest.fixture
def users_folder(tmp_path: Path) -> Path:
    """A folder with packages of the same names, whose import would end the program."""
    for name in ("pipelines", "transforms", "runners", "io", "sinks"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('{name} of the user')\n")
    (tmp_path / "people.py").write_text(PROGRAM)
    (tmp_path / "people.csv").write_text("id,name\n1,Ann\n2,Bo\n3,Cy,too much\n")
    return tmp_path


def test_the_commands_work_in_a_folder_with_packages_called_as_ours(
    binaries: Path, users_folder: Path
) -> None:
    sluice, url = binaries / "sluice", "sqlite:///people.db"
    target = ("--source", "people.csv", "--sink", url, "--table", "people", "--key", "id")
    run(sluice, "ingest", *target, "--no-progress", cwd=users_folder)
    audited, _ = run(sluice, "audit", "--sink", url, "--json", cwd=users_folder)
    (partition,) = json.loads(audited)
    assert (partition["read"], partition["inserted"], partition["dead"]) == (3, 2, 1)
    listed, _ = run(sluice, "dead-letters", "list", "--sink", url, "--json", cwd=users_folder)
    assert [letter["category"] for letter in json.loads(listed)] == ["column_count"]


def test_a_users_program_with_a_step_works_there(binaries: Path, users_folder: Path) -> None:
    run(binaries / "python", "-P", "people.py", cwd=users_folder)
    audited, _ = run(
        *(binaries / "sluice", "audit", "--sink", "sqlite:///loud.db", "--json"), cwd=users_folder
    )
    assert [partition["inserted"] for partition in json.loads(audited)] == [2]


def test_where_the_users_packages_come_first_one_line_says_so(
    binaries: Path, users_folder: Path
) -> None:
    command = (binaries / "sluice", "audit", "--sink", "sqlite://")
    out, err = run(*command, cwd=users_folder, code=2, PYTHONPATH=".")
    assert out == ""
    assert err == (
        f"sluice: {users_folder}/pipelines hides a package of this program that is called "
        f"'pipelines' too, because {users_folder} is in PYTHONPATH; leave it out there, or rename "
        "that folder\n"
    )


def test_the_page_says_how_to_see_that_it_is_installed(binaries: Path, tmp_path: Path) -> None:
    (step,) = commands_in("docs/install.md", "python3 -m venv")
    command = replaced("docs/install.md", step, {"bin": str(binaries)})
    assert run(*command.split(), cwd=tmp_path)[0].startswith("sluice ")


def test_python_runs_the_package_as_the_command(binaries: Path, tmp_path: Path) -> None:
    assert run(binaries / "python", "-m", "sluice", "--version", cwd=tmp_path) == run(
        binaries / "sluice", "--version", cwd=tmp_path
    )


def test_the_console_has_its_templates_and_files(binaries: Path, users_folder: Path) -> None:
    argv = (binaries / "sluice", "console", "--sink", "sqlite:///people.db", "--listen", "0")
    with subprocess.Popen(
        list(map(str, argv)), cwd=users_folder, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            with urllib.request.urlopen(f"{address}about", timeout=60) as answer:
                page = answer.read().decode()
            files = re.findall(r'(?:src|href)="/(static/[^"]+)"', page)
            assert files
            for path in files:
                with urllib.request.urlopen(address + path, timeout=60) as answer:
                    assert answer.read()
        finally:
            process.terminate()
            assert process.wait(60) == 0
