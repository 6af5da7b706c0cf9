from __future__ import annotations

import pytest

from sources.files.json import values
from sources.files.json.values import Unbalanced, ValueScanner, skip_spaces


def end_of_item(data: bytes, size: int = 1 << 20) -> int:
    """Where an item ends that is scanned in blocks of a size; -1 if it does not."""
    scanner = ValueScanner()
    scanner.begin_item()
    for at in range(0, len(data), size):
        end = scanner.scan(data[at : at + size], 0)
        if end >= 0:
            return at + end
    return -1


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    "item",
    [
        b'{"a":[1,{"b":"],}"}]} ',
        b'"a\\"],[\\\\" ',
        b"12 ",
        b"{'a': b}",
        b'{"a":"x" "b":"y"}',
        b'{"a":1} {"b":2}',
        b"[[[[[[[[1]]]]]]]]",
        b"",
    ],
)
def test_an_item_ends_at_a_comma_or_a_closing_bracket_around_it(item: bytes, size: int) -> None:
    for rest in (b",2]", b"]", b"}"):
        assert end_of_item(item + rest, size) == len(item)
    assert end_of_item(item, size) == -1


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_value_that_stands_alone_ends_with_its_last_byte(size: int) -> None:
    for value in (b'{"a":"}"}', b"[[1],[2]]", b'"\\""'):
        scanner = ValueScanner()
        scanner.begin_value(value[0])
        data = value[1:] + b"1"
        ends = ((at, scanner.scan(data[at : at + size], 0)) for at in range(0, len(data), size))
        whole = next(at + end for at, end in ends if end >= 0)
        assert (whole, scanner.complete) == (len(value) - 1, True)


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("item", "at", "reason"),
    [
        (b'{"a":[1}', 7, "'}' closes what it did not open"),
        (b'{"a":"b"c"},{"d":1}', 8, "'c' follows a string"),
        (b'{"a":"b},{"c":"d"}', 11, "'c' follows a string"),
    ],
)
def test_where_brackets_or_quotes_do_not_match_nothing_is_guessed(
    item: bytes, at: int, reason: str, size: int
) -> None:
    scanner = ValueScanner()
    scanner.begin_item()
    with pytest.raises(Unbalanced, match=reason) as unbalanced:  # noqa: PT012 - block by block
        for low in range(0, len(item), size):
            start = low
            scanner.scan(item[low : low + size], 0)
    assert start + unbalanced.value.at == at


def test_a_record_separator_ends_a_value_that_is_cut_off() -> None:
    for text in (b'{"a":[1\x1e{"b":2}', b'{"a":"x\x1e{"b":2}'):
        scanner = ValueScanner()
        scanner.begin_value(text[0])
        assert scanner.scan(text[1:], 0) == text.index(b"\x1e") - 1


def test_brackets_are_counted_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "DEEPEST", 1_000)
    assert end_of_item(b"[" * 1_000 + b"]" * 1_000 + b",", 64) == 2_000
    with pytest.raises(Unbalanced, match="more than 1,000 levels deep"):
        end_of_item(b"[" * 1_001, 64)


def test_what_is_nested_deeply_is_scanned_block_by_block() -> None:
    levels = 20_000
    assert end_of_item(b'{"a":[' * levels + b"]}" * levels + b",", 1 << 16) == 8 * levels


def test_white_space_is_that_of_json() -> None:
    assert skip_spaces(b" \t\r\n\x0b", 0) == 4
