"""What a release has to agree on: one version everywhere, and a changelog for people (docs/releasing.md)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def sections() -> dict[str, str]:
    """The text of each version of the changelog, by its heading, the newest first."""
    parts = re.split(r"^## (.+)$", CHANGELOG, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_the_newest_version_of_the_changelog_is_that_of_the_package() -> None:
    unreleased, newest, *_ = sections()
    assert unreleased == "Unreleased"
    assert re.fullmatch(rf"{re.escape(VERSION)} – \d{{4}}-\d\d-\d\d", newest)


def test_a_version_says_first_what_to_do_and_then_what_is_new() -> None:
    for title, text in list(sections().items())[1:]:
        heads = re.findall(r"^### (.+)$", text, re.MULTILINE)
        assert heads[0] == "Before you upgrade", title
        kinds = [head for head in heads if head not in ("Before you upgrade", "In short")]
        order = ["Added", "Changed", "Fixed", "Removed"]
        assert kinds == [kind for kind in order if kind in kinds], title


def test_images_have_the_version_of_the_package() -> None:
    tags = {
        (path.relative_to(ROOT).as_posix(), tag)
        for path in [*(ROOT / "deploy").rglob("*"), ROOT / "docs" / "deployment.md"]
        if path.suffix in {".yaml", ".md", ""} and path.is_file()
        for tag in re.findall(r"(?:\bsluice:|newTag: )(\d+\.\d+\.\d+)", path.read_text())
    }
    assert len(tags) >= 6
    assert {tag for _, tag in tags} == {VERSION}, tags


def test_readme_says_which_version_it_is_about() -> None:
    assert f"version {VERSION.rpartition('.')[0]}," in (ROOT / "README.md").read_text()
