from __future__ import annotations

from sinks.objects.checks.finding import NAMED, Findings


def test_findings_name_what_they_are_about() -> None:
    findings = Findings()
    assert not findings
    findings.add("gone", "a")
    findings.add("changed", "b")
    assert findings
    assert findings.texts() == ["a: gone", "b: changed"]


def test_of_many_the_first_are_named_and_all_are_counted() -> None:
    findings = Findings()
    for number in range(NAMED + 3):
        findings.add("gone", str(number))
    assert findings.numbers == {"gone": NAMED + 3}
    assert len(findings.lines["gone"]) == NAMED
    assert findings.texts()[-1] == "3 more: gone"
