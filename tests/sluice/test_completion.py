"""The scripts that complete commands and options in a shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import shtab

from sluice import completion

BASH = shutil.which("bash")


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert completion.main([shell]) == 0
    return capsys.readouterr().out


def test_every_shell_that_shtab_completes_is_offered() -> None:
    assert set(completion.SHELLS) == set(shtab.SUPPORTED_SHELLS)


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_a_script_knows_commands_and_options(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = script(shell, capsys)
    assert "dead-letters" in text
    assert "on_conflict" in text


@pytest.mark.skipif(BASH is None, reason="no bash here")
class TestBash:
    @pytest.fixture
    def path(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
        path = tmp_path / "sluice.bash"
        path.write_text(script("bash", capsys))
        return path

    def completed(self, path: Path, *words: str) -> list[str]:
        """What bash offers for the last of the words that were typed."""
        typed = " ".join(f"'{word}'" for word in words)
        code = (
            f"source {path}; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; "
            "_shtab_sluice; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        done = subprocess.run(
            [str(BASH), "--norc", "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.split()

    def test_bash_accepts_the_script(self, path: Path) -> None:
        subprocess.run([str(BASH), "-n", str(path)], timeout=60, check=True)

    @pytest.mark.parametrize(
        ("words", "offered"),
        [
            (["sluice", "ing"], ["ingest"]),
            (["sluice", "ingest", "--so"], ["--source"]),
            (["sluice", "ingest", "--runner", "Fl"], ["FlinkRunner"]),
            (["sluice", "dead-letters", "rep"], ["replay"]),
            (["sluice", "dead-letters", "replay", "--max"], ["--max_replays"]),
        ],
    )
    def test_what_was_begun_is_completed(
        self, path: Path, words: list[str], offered: list[str]
    ) -> None:
        assert self.completed(path, *words) == offered
