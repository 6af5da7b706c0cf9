from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from transforms.errors import ConfigError
from transforms.mapping.reading import document
from transforms.mapping.reading.document import load, parsed, part_of
from transforms.parse.json_text import encode_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, word) for word in ("yes", "no", "on", "off", "Y", "n", "2024-01-01", "12:30:00")],
        *[(word, word) for word in ("1_000", "0b1", "017x", "1e", ".", "-x", "0o9", "=", "<<")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, None) for word in ("null", "~", "Null", "NULL", "")],
        *[("12", 12), ("-7", -7), ("+7", 7), ("017", 17), ("0o17", 15), ("0x1F", 31)],
        *[("1.50", Decimal("1.50")), (".5", Decimal("0.5")), ("1e3", Decimal("1E+3"))],
        *[("'5'", "5"), ('"true"', "true"), ("!!str 5", "5"), ("!!int 5", 5), ('"\\u00e9"', "é")],
        ('"\\ud83d\\ude00"', "😀"),
    ],
)
def test_a_scalar_is_what_the_core_schema_of_yaml_1_2_says(text: str, value: Any) -> None:
    result = parsed(f"- {text}\n", "m.yaml").plain
    assert result == [value]
    assert type(result[0]) is type(value)


def test_a_key_is_a_text_and_every_part_knows_its_place() -> None:
    part = parsed("a:\n  - true: {on: x}\n", "m.yaml")
    assert part.plain == {"a": [{"true": {"on": "x"}}]}
    assert part.keys == {"a": "m.yaml:1:1"}
    inner = part.value["a"].value[0]
    assert inner.keys == {"true": "m.yaml:2:5"}
    assert str(inner.refused("is wrong", at="true")) == "m.yaml:2:5: is wrong"
    assert str(inner.value["true"].refused("is wrong")) == "m.yaml:2:11: is wrong"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "m.yaml:2:1: a occurs twice here"),
        ("- [a\n", "m.yaml:2:1: not YAML: "),
        ("a: !!binary aa", "the tag is not known here"),
        ("a: !mine 1", "the tag is not known here"),
        ("a: !!python/object:os.system x", "the tag is not known here"),
        ("!!set {a}", "m.yaml:1:1: the tag !!set is not known here"),
        ("---\na\n---\nb", "another document"),
        ("", "m.yaml is empty"),
        ("a: .nan", "m.yaml:1:4: .nan is no number"),
        ("&a [*a]", "nested deeper than 50 levels"),
        ("[" * 60 + "]" * 60, "nested deeper than 50 levels"),
        ("[" * 5000, "nested deeper than 50 levels"),
        ("a: @now", "m.yaml:1:4: not YAML: found character '@' that cannot start any token; put"),
        ("a:\n\t- b", "indent by blanks"),
        ("? [a]\n: b", "m.yaml:1:3: a key must be a text"),
        ("a: " + "9" * 20_000, "a number has more than 10,000 digits"),
        ('a: "\x07"', "m.yaml:1:5: the character U+0007"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parsed(text, "m.yaml")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_aliases_are_followed_as_far_as_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_PARTS", 1_000)
    assert parsed("a: &x [1]\nb: *x\n", "m.yaml").plain == {"a": [1], "b": [1]}
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 9))
    with pytest.raises(ConfigError, match="more than 1,000 values"):
        parsed(f"l0: &l0 [x]\n{levels}", "m.yaml")


def test_json_is_read_with_its_escapes_and_tabs() -> None:
    text = '{\n\t"a": 1,"b":{"c":"\\ud83d\\ude00\\/"},\n\t"d": [true, null, 1E5, -0.5]}'
    part = parsed(text, "m.json", as_json=True)
    assert part.plain == {
        "a": 1,
        "b": {"c": "😀/"},
        "d": [True, None, Decimal("1E+5"), Decimal("-0.5")],
    }
    assert part.value["d"].place == "m.json:3:7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a: 1}", "m.json:1:2: not JSON"),
        ('{"a": 1,}', "not JSON"),
        ('{"a": NaN}', "not JSON: NaN is not a JSON number"),
        ('{"a": 1, "a": 2}', "m.json:1:10: a occurs twice here"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_json_is_strict(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"m\.json") as refusal:
        parsed(text, "m.json", as_json=True)
    assert message in str(refusal.value)


@drawn(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(st.characters(codec="utf-8", exclude_characters="\x7f")),
        lambda parts: (
            st.lists(parts, max_size=3)
            | st.dictionaries(st.text(st.characters(codec="ascii"), max_size=5), parts, max_size=3)
        ),
        max_leaves=6,
    ).map(lambda value: [value])
)
def test_every_json_comes_back(value: Any) -> None:
    text = encode_json(value).decode()
    try:
        result = parsed(text, "m.json", as_json=True)
    except ConfigError as error:  # YAML takes fewer characters as they are than JSON
        assert "as it is" in str(error)  # noqa: PT017
    else:
        assert result.plain == value


def test_a_file_is_json_by_its_name_and_otherwise_yaml(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_bytes(b"\xef\xbb\xbf- a: yes\n")
    assert load(tmp_path / "m.yaml").plain == [{"a": "yes"}]
    (tmp_path / "m.json").write_text("- a: yes\n")
    with pytest.raises(ConfigError, match="not JSON"):
        load(tmp_path / "m.json")


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*absent.yaml: No such file"):
        load(tmp_path / "absent.yaml")
    (tmp_path / "m.yaml").write_bytes(b"- \xff")
    with pytest.raises(ConfigError, match=r"is not UTF-8 text \(byte 2\)"):
        load(tmp_path / "m.yaml")
    monkeypatch.setattr(document, "MAX_BYTES", 10)
    (tmp_path / "m.yaml").write_text("- " + "a" * 10)
    with pytest.raises(ConfigError, match="is longer than 10 bytes"):
        load(tmp_path / "m.yaml")


def test_a_plain_value_is_a_document_too() -> None:
    part = part_of([{"a": True, True: ["x", 0.1]}], "mapping")
    assert part.plain == [{"a": True, "true": ["x", Decimal("0.1")]}]
    assert str(part.value[0].refused("is wrong", at="a")) == "mapping: is wrong"
    with pytest.raises(ConfigError, match="mapping: object is not a plain value"):
        part_of([object()], "mapping")
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ConfigError, match="nested deeper"):
        part_of(endless, "mapping")
