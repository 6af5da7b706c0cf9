from __future__ import annotations

from sources.files.parquet.page_headers import DICTIONARY, PageHeader
from sources.files.parquet.paged_file import Chunk, Page, PagedFile
from tests.io.sources.storage.test_stream import Pinned

BODIES = [b"a" * 10, b"b" * 500, b"c" * 30]
HEADERS = [
    PageHeader(0, DICTIONARY, 1, 1, {1: 1, 2: 0}).resized(len(body), len(body)) for body in BODIES
]
START = 4
PAGES = b"".join(head + body for head, body in zip(HEADERS, BODIES, strict=True))
DATA = b"PAR1" + PAGES + b"footer"


class Gate:
    """Notes each page, and replaces that of ``b``."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def admit(self, page: Page, room: int) -> bytes | None:
        body = b"".join(page.stored(0, page.header.stored))
        self.seen.append(body)
        return b"INSTEAD" if body.startswith(b"b") else None


def opened(gate: Gate, block_bytes: int) -> PagedFile:
    file = PagedFile(Pinned(DATA, block_bytes=64), len(DATA))
    end = START + len(PAGES)
    file.guard([Chunk(0, "s", START, end, "UNCOMPRESSED", 3, 1.0)], gate, block_bytes)
    return file


def test_each_page_is_shown_before_it_is_read_and_may_be_replaced() -> None:
    for block_bytes in (1, 50, 1_000):
        gate = Gate()
        file = opened(gate, block_bytes)
        file.seek(START)
        first = bytes(file.read(10_000))
        assert first == HEADERS[0] + BODIES[0]
        assert gate.seen == BODIES[:1]
        assert bytes(file.read(3)) + bytes(file.read(10_000)) == b"INSTEAD"
        assert bytes(file.read(10_000)) == HEADERS[2] + BODIES[2]
        assert gate.seen == BODIES
        assert bytes(file.read(10_000)) == b""
        assert file.column == "s"


def test_what_is_no_column_is_read_as_it_is() -> None:
    file = opened(Gate(), 10)
    assert file.read(3) == b"PAR"
    file.seek(-6, 2)
    assert file.read() == b"footer"
