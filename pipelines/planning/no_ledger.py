"""A ledger that has nothing: everything is read from the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transforms.batch.coverage import Coverage


@dataclass(frozen=True, slots=True)
class NoLedger:
    """Nothing is settled; implements ``VersionedLedger``."""

    def coverage(self, partitions: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Coverage]:
        """Nothing."""
        return {}

    def partitions(self, source: str) -> dict[str, Coverage]:
        """Nothing."""
        return {}

    def is_empty(self) -> bool:
        """Yes."""
        return True

    def versions(self, sources: Sequence[str]) -> dict[tuple[str, str], Coverage]:
        """Nothing."""
        return {}

    def elsewhere(self, partitions: Sequence[str]) -> dict[tuple[str, str], Coverage]:
        """Nothing."""
        return {}
