"""Addresses of pages, with their parameters."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlencode


def link(path: str, *names: str, **parameters: object) -> str:
    """An address of this console.

    Args:
        path: Where, as it is; each ``{}`` in it is the next of ``names``.
        names: Quoted into the path; their slashes stay.
        parameters: The query; None and empty texts are left out, lists repeat.

    >>> link("/targets/{}/partitions", "a/b c", page=2, after=None, stage=["parse", "map"])
    '/targets/a/b%20c/partitions?page=2&stage=parse&stage=map'
    """
    quoted = path.format(
        *(quote(name.encode("utf-8", "surrogatepass"), safe="/") for name in names)
    )
    pairs = [(name, str(value)) for name, values in parameters.items() for value in _each(values)]
    query = urlencode(pairs, errors="surrogatepass")
    return f"{quoted}?{query}" if query else quoted


def is_local(address: str) -> bool:
    """Whether a redirect to an address stays in this console.

    >>> [is_local(text) for text in ("/runs?a=1", "//evil.example", "/\\\\evil.example", "http://x")]
    [True, False, False, False]
    """
    return address[:1] == "/" and address[1:2] not in ("/", "\\") and address.isprintable()


def _each(values: object) -> Iterable[object]:
    several = values if isinstance(values, list | tuple) else [values]
    return [value for value in several if value is not None and value != ""]
