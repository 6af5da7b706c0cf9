"""Only times become shorter."""

from __future__ import annotations

from benchmarks.observed.shortened import shortened

RULES = """
groups:
  - rules:
      - alert: Slow
        expr: |
          rate(a_seconds_bucket{le="60.0"}[1h]) > 14.4 * 0.01
          and on (p) time() - b_timestamp_seconds > 300
          and deriv(c_records[30s]) > 1000
        for: 2m
      - alert: AtOnce
        expr: a_seconds > on (p) b_seconds / 2
"""


def test_windows_waits_and_ages_are_divided_and_ratios_and_counts_are_not() -> None:
    slow, at_once = shortened(RULES, 60)["groups"][0]["rules"]
    assert slow["for"] == "2s"
    assert slow["expr"] == (
        'rate(a_seconds_bucket{le="60.0"}[60s]) > 14.4 * 0.01\n'
        "and on (p) time() - b_timestamp_seconds > 5\n"
        "and deriv(c_records[1s]) > 1000\n"
    )
    assert at_once == {"alert": "AtOnce", "expr": "a_seconds > on (p) b_seconds / 2"}
