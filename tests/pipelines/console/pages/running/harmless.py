"""What a page must never have, whatever the database holds."""

from __future__ import annotations


def check_harmless(page: str) -> None:
    """No hostile text is markup, or invisible."""
    for part in ("<script>alert", "<img src=x", "<svg onload", "</textarea></pre>"):
        assert part not in page
    for invisible in "\u202e\u2066\u200b\x1b":
        assert invisible not in page
