"""Which programs a local Flink cluster needs, and until when."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.flink.local import parts
from runners.flink.local.parts import available
from runners.runner import RunnerUnavailable

JAVA = "#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything on the path: what is needed; nothing is fetched yet."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("java", "javac", "mvn", "go"):
        (folder / name).write_text(JAVA if name == "java" else "#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("SLUICE_JARS", str(tmp_path / "jars"))
    return folder


@pytest.mark.parametrize("name", ["java", "javac", "mvn", "go"])
def test_a_program_that_is_missing_is_named(programs: Path, name: str) -> None:
    assert available() is None
    (programs / name).unlink()
    assert str(available()).startswith(f"{name} not found ")


def test_old_java_is_named(programs: Path) -> None:
    (programs / "java").write_text(JAVA.replace("17.0.1", "8.0"))
    assert available() == "java 8 found, 11 or newer is needed"


def test_maven_refuses_a_file_whose_checksum_is_wrong(programs: Path, tmp_path: Path) -> None:
    (programs / "mvn").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nexit 1\n')
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(RunnerUnavailable):
        parts._fetch_job_server(scratch)
    assert {"-C", "--strict-checksums"}.intersection((tmp_path / "arguments").read_text().split())
