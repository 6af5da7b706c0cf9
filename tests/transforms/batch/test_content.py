"""Checksums of ranges that follow each other add up to that of all their bytes."""

from __future__ import annotations

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from transforms.batch.content import Content, content_from


@given(parts=st.lists(st.binary(max_size=300), max_size=6))
def test_parts_have_the_checksum_of_the_whole(parts: list[bytes]) -> None:
    content = Content(framing="json")
    for part in parts:
        content = content.then(Content(len(part), crc32(part), "json"))
    whole = b"".join(parts)
    assert content == Content(len(whole), crc32(whole), "json")


@given(
    content=st.builds(
        Content,
        st.integers(0, 1 << 60),
        st.integers(0, (1 << 32) - 1),
        st.sampled_from(["", "json", 'csv "\\ gzip', "csv none"]),
    )
)
def test_it_is_read_as_it_was_written(content: Content) -> None:
    assert content_from(str(content)) == content
