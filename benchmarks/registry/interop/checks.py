"""What is checked, what must be read, and what is read."""

from __future__ import annotations

from typing import Any

Check = tuple[str, Any, Any]
