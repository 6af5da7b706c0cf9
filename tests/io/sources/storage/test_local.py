from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sources.storage.local import LocalStorage, path_of
from sources.storage.objects import HIDDEN
from transforms.errors import ConfigError, ObjectFailed, SourceUnavailable

ROOT = Path(__file__).resolve().parents[4]


def names(glob: str | Path) -> list[str]:
    return [path_of(stored.uri) for stored in LocalStorage().list(str(glob))]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.jsonl", "a.jsonl", ".hidden.jsonl", "x/c.jsonl", "x/y/d.jsonl", "x/e.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "dir.jsonl").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("glob", "matches"),
    [
        ("*.jsonl", ["a.jsonl", "b.jsonl"]),
        ("?.jsonl", ["a.jsonl", "b.jsonl"]),
        ("[!a].jsonl", ["b.jsonl"]),
        (".*.jsonl", [".hidden.jsonl"]),
        ("x/*", ["x/c.jsonl", "x/e.csv"]),
        ("*/c.jsonl", ["x/c.jsonl"]),
        ("**/*.jsonl", ["a.jsonl", "b.jsonl", "x/c.jsonl", "x/y/d.jsonl"]),
        ("x/**", ["x/c.jsonl", "x/e.csv", "x/y/d.jsonl"]),
        ("a.jsonl", ["a.jsonl"]),
        ("none/*.jsonl", []),
        ("a.jsonl/*", []),
    ],
)
def test_globs_find_files_in_order(tree: Path, glob: str, matches: list[str]) -> None:
    assert names(tree / glob) == [f"{tree}/{name}" for name in matches]


def test_every_file_found_is_one_that_the_glob_matches(tree: Path) -> None:
    storage = LocalStorage()
    for glob in ("**/*.jsonl", "x/*", "[!a].jsonl", "a.jsonl"):
        for stored in storage.list(f"{tree}/{glob}"):
            assert storage.matches(f"{tree}/{glob}", stored.uri)
    assert not storage.matches(f"{tree}/*.jsonl", (tree / "x/c.jsonl").as_uri())
    assert not storage.matches(f"{tree}/*.jsonl", f"s3:/{tree}/a.jsonl")


@pytest.mark.parametrize("name", ["a b.jsonl", "100%.jsonl", "a%20b.jsonl", "[x].jsonl", "é#.json"])
def test_special_characters_survive_the_uri(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"{}")
    (stored,) = LocalStorage().list(f"{tmp_path}/*")
    assert stored.uri == (tmp_path / name).as_uri()
    with_uri = LocalStorage().open(stored.uri, stored.version)
    assert with_uri.read_at(0, 10) == b"{}"
    with_uri.close()


def test_name_that_is_not_utf8_survives_the_uri(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.jsonl"
    try:
        with open(path, "wb"):
            pass
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (stored,) = LocalStorage().list(f"{tmp_path}/*")
    assert stored.uri.endswith("/%FF.jsonl")
    LocalStorage().open(stored.uri, stored.version).close()


def test_relative_path_and_file_uri_name_the_same_file(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    expected = [str(tree / "a.jsonl")]
    for glob in ("a.jsonl", "./[a].jsonl", f"file://{tree}/a.jsonl", f"file://{tree}/%61.*"):
        assert names(glob) == expected


def test_links_to_files_are_read_and_links_to_folders_not_walked(tree: Path) -> None:
    (tree / "x" / "loop").symlink_to(tree)
    (tree / "x" / "link.jsonl").symlink_to(tree / "a.jsonl")
    (tree / "x" / "dangling.jsonl").symlink_to(tree / "nowhere")
    matches = [f"{tree}/x/{name}" for name in ("c.jsonl", "link.jsonl", "y/d.jsonl")]
    assert sorted(names(tree / "x/**/*.jsonl")) == sorted(matches)


def test_folder_asks_for_a_glob(tree: Path) -> None:
    with pytest.raises(ConfigError, match="add a glob"):
        names(tree / "x")


def test_another_host_is_refused() -> None:
    with pytest.raises(ConfigError, match="file:///absolute/path"):
        names("file://server/share/*.jsonl")


def test_version_changes_with_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n")
    storage = LocalStorage()
    (first,) = storage.list(str(path))
    path.write_bytes(b"12\n")
    (second,) = storage.list(str(path))
    assert first.uri == second.uri
    assert first.version != second.version
    with pytest.raises(ObjectFailed) as failed:
        storage.open(first.uri, first.version)
    assert failed.value.category == "object_changed"


def test_read_at_is_short_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"0123456789")
    (stored,) = LocalStorage().list(str(path))
    file = LocalStorage().open(stored.uri, stored.version)
    assert file.read_at(2, 3) == b"234"
    assert file.read_at(8, 100) == b"89"
    assert file.read_at(10, 1) == b""
    file.close()
    file.close()


def test_what_may_not_be_read_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"cannot read .*: File name too long"):
        names(tmp_path / ("x" * 300))


def test_large_directory_is_listed_in_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sources.storage.local._PAGE", 10)
    for n in range(35):
        (tmp_path / f"{n:02}.jsonl").touch()
    matches = names(tmp_path / "*.jsonl")
    assert sorted(matches) == [f"{tmp_path}/{n:02}.jsonl" for n in range(35)]
    assert matches[:10] == sorted(matches[:10])


def test_file_whose_name_is_the_glob_is_read(tmp_path: Path) -> None:
    (tmp_path / "a[1].jsonl").touch()
    (tmp_path / "a1.jsonl").touch()
    assert names(tmp_path / "a[1].jsonl") == [f"{tmp_path}/a[1].jsonl"]


def test_underscores_are_passed_over_unless_the_glob_spells_them(tree: Path) -> None:
    for name in ("_SUCCESS", "_tmp/a.jsonl", "_day=1/a.jsonl"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).touch()

    def listed(glob: str) -> list[tuple[str, str]]:
        stored = LocalStorage().list(f"{tree}/{glob}")
        return [(path_of(each.uri).removeprefix(f"{tree}/"), each.passed_over) for each in stored]

    assert ("_SUCCESS", HIDDEN) in listed("*")
    assert listed("_*") == [("_SUCCESS", "")]
    assert listed("*/a.jsonl") == [("_day=1/a.jsonl", ""), ("_tmp", HIDDEN)]
    assert listed("_tmp/*") == [("_tmp/a.jsonl", "")]
    assert ("_tmp", HIDDEN) in listed("**/*.jsonl")


def test_a_loop_of_links_is_listed_as_refused_and_the_others_as_they_are(tree: Path) -> None:
    (tree / "c.jsonl").symlink_to("c.jsonl")
    *readable, loop = LocalStorage().list(f"{tree}/*.jsonl")
    assert [path_of(each.uri) for each in readable] == [f"{tree}/a.jsonl", f"{tree}/b.jsonl"]
    assert f"cannot read {tree}/c.jsonl: Too many levels of symbolic links" in loop.refused
    with pytest.raises(SourceUnavailable, match="symbolic links"):
        names(tree / "c.jsonl")


REFUSED = """
import os, sys
sys.path[:0] = sys.argv[2:]
from sources.storage.local import LocalStorage
from transforms.errors import ObjectUnavailable, SourceUnavailable
if os.geteuid() == 0:
    os.setuid(65534)  # rights do not bind root
storage, folder = LocalStorage(), sys.argv[1]
for stored in storage.list(folder + "/**/*.jsonl"):
    name = stored.uri.rsplit("/", 1)[-1]
    try:
        if not stored.refused:
            storage.open(stored.uri, stored.version).close()
        print(name, "refused" if stored.refused else "open")
    except ObjectUnavailable as error:
        print(name, "unavailable")
try:
    list(storage.list(folder + "/closed/*"))
except SourceUnavailable:
    print("away")
"""


@pytest.mark.slow
def test_rights_that_are_missing_concern_one_file_or_folder() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "a.jsonl").touch()
        (folder / "b.jsonl").touch(mode=0)
        (folder / "closed").mkdir(mode=0)
        (folder / "z").mkdir()
        (folder / "z" / "c.jsonl").touch()
        paths = [*(str(ROOT / part) for part in ("io", ".")), *sys.path]
        script = [sys.executable, "-c", REFUSED, name, *paths]
        run = subprocess.run(script, check=False, capture_output=True, text=True, timeout=60)
        (folder / "closed").chmod(0o700)
    expected = ["a.jsonl open", "b.jsonl unavailable", "closed refused", "c.jsonl open", "away"]
    assert run.stdout.splitlines() == expected, run.stderr


def test_a_name_that_is_no_text_has_a_uri_of_its_own(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path)
    for name in (b"caf\xe9.jsonl", b"caf\xc3\xa9.jsonl", b"caf%E9.jsonl"):
        Path(os.fsdecode(raw + b"/" + name)).write_bytes(name)
    storage = LocalStorage()
    contents = {}
    for stored in storage.list(f"{tmp_path}/*.jsonl"):
        file = storage.open(stored.uri, stored.version)
        contents[stored.uri.rpartition("/")[2]] = file.read_at(0, 100)
        file.close()
        assert storage.matches(f"{tmp_path}/caf*.jsonl", stored.uri)
    assert contents == {
        "caf%E9.jsonl": b"caf\xe9.jsonl",
        "caf%C3%A9.jsonl": b"caf\xc3\xa9.jsonl",
        "caf%25E9.jsonl": b"caf%E9.jsonl",
    }


def test_a_refusal_names_a_file_whose_name_is_no_text(tmp_path: Path) -> None:
    loop = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9.jsonl"))
    loop.symlink_to(loop)
    (stored,) = LocalStorage().list(f"{tmp_path}/*.jsonl")
    assert stored.uri.endswith("/%E9.jsonl")
    assert f"{tmp_path}/\\xe9.jsonl" in stored.refused
    stored.refused.encode()


@pytest.mark.parametrize("uri", ["file:///tmp/a%00b", "/tmp/a\0b"])
def test_a_path_without_end_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match="contains the character NUL"):
        path_of(uri)


@pytest.mark.parametrize(
    "name",
    [
        "plain-1_a.~b",
        "a b",
        "50%",
        "日本",
        "a?b#c",
        "x'y",
        "a:b",
        "..",
        "...",
        ".a",
        "a\\b",
    ],
)
def test_the_uri_of_a_file_is_that_of_pathlib_and_leads_back_to_its_path(
    tmp_path: Path, name: str
) -> None:
    path = f"{tmp_path}/{name}"
    if name != "..":
        Path(path).write_text("")
        (stored,) = LocalStorage().list(path.replace("?", "[?]"))
        assert stored.uri == Path(path).as_uri()
        assert path_of(stored.uri) == path
    assert path_of(path) == os.path.abspath(path)
    assert path_of(f"file://{path.replace('%', '%25')}") == os.path.abspath(path)


@pytest.mark.parametrize(
    "written", ["/a//b", "/a/./b", "/a/c/../b", "/a/b/", "/a/b/.", "/a/c/..", "//a/b", "/"]
)
def test_a_path_that_is_not_normal_is_made_so(written: str) -> None:
    assert path_of(written) == os.path.abspath(written)


def test_a_relative_glob_is_relative_to_the_folder_at_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = (tmp_path / "x" / "a.jsonl").as_uri()
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not LocalStorage().matches("*.jsonl", uri)
    monkeypatch.chdir(tmp_path / "x")
    assert LocalStorage().matches("*.jsonl", uri)
    monkeypatch.chdir("/")
    assert LocalStorage().matches(f"{tmp_path}/x/*.jsonl"[1:], uri)
