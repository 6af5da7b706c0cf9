"""What stands for what a page leaves open, where its commands run in a test (``tests/pages/page.py``)."""

from __future__ import annotations

SUBSTITUTIONS: dict[str, dict[str, str]] = {
    "docs/doctor.md": {
        "URL": "{database}",
        "--pipeline orders": "--pipeline events",
        "postgresql://monitor@host/db": "{postgres}",
        "--role ingest": "--role postgres",
    },
    "docs/operations.md": {
        "URL": "{database}",
        "--id 17": "--id {job}",
        "[--dry_run]": "",
    },
    "docs/upgrading.md": {
        "URL": "{database}",
        " …  ": " {database}  ",
    },
    "docs/retries.md": {
        "URL": "{database}",
        "3f9a11c2b07d": "{fingerprint}",
        "--cancel 7": "--cancel {order}",
        "--id 7": "--id {job}",
    },
}
"""By page: each text of its commands that is replaced, and what it is replaced by. ``{name}`` is a place that
the test has prepared."""
