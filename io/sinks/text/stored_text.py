"""Text as every database stores it."""

from __future__ import annotations


def clean(text: str, limit: int) -> str:
    """``text`` bounded to ``limit`` characters, without NUL and lone surrogates."""
    cut = text[:limit].replace("\x00", "\ufffd")
    return cut.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
