"""How the states of pipelines, runs, records and orders are coloured; their names say the same."""

from __future__ import annotations

_TONES = {
    "good": ("running", "completed", "executing"),
    "warn": ("paused", "draining", "retryable", "cancelled", "stopped"),
    "bad": ("failed", "lost", "discarded"),
}
_OF_STATE = {state: tone for tone, states in _TONES.items() for state in states}


def tone(state: str) -> str:
    """``good``, ``warn`` or ``bad``; empty for a state that is neither.

    >>> [tone(state) for state in ("running", "paused", "failed", "never run")]
    ['good', 'warn', 'bad', '']
    """
    return _OF_STATE.get(state, "")
