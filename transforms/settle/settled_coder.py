"""How a ``Settled`` travels between processes, where a runner does not pass it on as it is."""

from __future__ import annotations

import pickle

from apache_beam import coders

from transforms.settle.sink import Settled


class SettledCoder(coders.Coder):
    """Codes a ``Settled``, within one run: its bytes are nowhere kept."""

    def encode(self, value: Settled) -> bytes:
        return pickle.dumps(value)

    def decode(self, encoded: bytes) -> Settled:
        return pickle.loads(encoded)  # type: ignore[no-any-return]  # noqa: S301 - of this run

    def is_deterministic(self) -> bool:
        return False

    def estimate_size(self, value: Settled) -> int:
        # Beam samples the size of elements, and would encode thousands of dead letters for that.
        return value.raw_bytes

    def to_type_hint(self) -> type:
        return Settled


coders.registry.register_coder(Settled, SettledCoder)
