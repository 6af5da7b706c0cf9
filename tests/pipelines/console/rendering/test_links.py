"""Addresses with hostile names."""

from __future__ import annotations

import pytest

from pipelines.console.rendering.links import is_local, link


def test_names_and_parameters_are_quoted() -> None:
    assert link("/targets/{}", '"><script>') == "/targets/%22%3E%3Cscript%3E"
    assert link("/x", a="b&c=d", b=None, c="", d=["1", "2"], e=0) == "/x?a=b%26c%3Dd&d=1&d=2&e=0"
    assert link("/targets/{}", "?#%2f\ud800") == "/targets/%3F%23%252f%ED%A0%80"


@pytest.mark.parametrize(
    "address", ["", "//x", "/\\x", "\\x", "http://x", "javascript:alert(1)", "x", "/a\nb", "/a\tb"]
)
def test_other_sites_are_not_local(address: str) -> None:
    assert not is_local(address)
    assert is_local("/runs?after=1")
