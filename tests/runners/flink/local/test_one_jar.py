from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from runners.flink.local.one_jar import merge

SERVICE = "META-INF/services/a.Runner"


def jar(path: Path, files: Mapping[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_one_jar_is_left_with_everything_and_the_first_of_equal_names(tmp_path: Path) -> None:
    jar(tmp_path / "a.jar", {"x/A.class": "a", "x/Both.class": "of a"})
    jar(tmp_path / "b.jar", {"x/": "", "x/B.class": "b", "x/Both.class": "of b"})
    merge(tmp_path, "all.jar")
    assert [path.name for path in tmp_path.iterdir()] == ["all.jar"]
    with zipfile.ZipFile(tmp_path / "all.jar") as archive:
        classes = {name: archive.read(name) for name in archive.namelist() if "x/" in name}
        assert len(archive.namelist()) == len(set(archive.namelist()))
    assert classes == {"x/A.class": b"a", "x/B.class": b"b", "x/Both.class": b"of a"}


def test_services_of_all_jars_are_listed(tmp_path: Path) -> None:
    jar(tmp_path / "a.jar", {SERVICE: "a.First"})  # without an end of line
    jar(tmp_path / "b.jar", {SERVICE: "b.Second\n"})
    merge(tmp_path, "all.jar")
    with zipfile.ZipFile(tmp_path / "all.jar") as archive:
        assert archive.read(SERVICE).split() == [b"a.First", b"b.Second"]


def test_classes_of_newer_versions_are_used_and_signatures_dropped(tmp_path: Path) -> None:
    jar(
        tmp_path / "a.jar",
        {
            "META-INF/MANIFEST.MF": "Manifest-Version: 1.0\nSealed: true\n",
            "META-INF/KEY.SF": "",
            "META-INF/KEY.RSA": "",
            "META-INF/versions/9/module-info.class": "",
            "META-INF/versions/9/x/A.class": "",
        },
    )
    merge(tmp_path, "all.jar")
    with zipfile.ZipFile(tmp_path / "all.jar") as archive:
        assert archive.namelist() == ["META-INF/MANIFEST.MF", "META-INF/versions/9/x/A.class"]
        manifest = archive.read("META-INF/MANIFEST.MF").decode().split()
    assert manifest[-2:] == ["Multi-Release:", "true"]
    assert "Sealed:" not in manifest
