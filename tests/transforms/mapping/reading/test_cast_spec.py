from __future__ import annotations

import pytest

from transforms.errors import ConfigError
from transforms.mapping.operations import CastTo, Moment, Numeric, Truth, Written
from transforms.mapping.reading.cast_spec import cast_of
from transforms.mapping.reading.document import parsed


@pytest.mark.parametrize(
    ("text", "cast"),
    [
        ("integer", Numeric("integer")),
        ('{to: decimal, thousands: ",", point: "."}', Numeric("decimal", ",", ".")),
        ("boolean", Truth()),
        ("{to: boolean, true: [Yes, 1], false: no}", Truth(("yes", "1"), ("no",))),
        ("date", Moment("date")),
        ('{to: date, formats: [iso, "%d/%m/%Y"]}', Moment("date", ("iso", "%d/%m/%Y"))),
        ('{to: date, format: "%d/%m/%Y"}', Moment("date", ("%d/%m/%Y",))),
        ("{to: timestamp, epoch: ms}", Moment("timestamp", (), "ms")),
        ("{to: timestamp, zone: Europe/Berlin}", Moment("timestamp", zone="Europe/Berlin")),
        ("{to: date, epoch: s, zone: UTC}", Moment("date", (), "s", "UTC")),
        ("text", Written("text")),
        ("{to: json}", Written("json")),
    ],
)
def test_a_cast_is_a_type_or_a_type_with_options(text: str, cast: CastTo) -> None:
    assert cast_of(parsed(text, "m.yaml")) == cast


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int", "1:1: int is no type; there are integer, number, decimal, boolean, date, "),
        ("{thousands: ','}", "1:1: nothing is no type"),
        ("{to: decimal, thousand: ','}", "1:15: a cast to decimal has no option thousand"),
        ("{to: integer, epoch: s}", "1:15: a cast to integer has no option epoch"),
        ("{to: decimal, thousands: '.'}", "thousands and point are both '.'"),
        ("{to: decimal, thousands: '1'}", "1:26: thousands must be one sign, e.g. ',', got 1"),
        ("{to: decimal, point: e}", "1:22: point must be one sign"),
        ("{to: boolean, true: [no], false: [No]}", "no is both true and false"),
        ("{to: boolean, false: ['true']}", "true is both true and false"),
        ("{to: boolean, true: [[]]}", "true must be words"),
        ("{to: date, formats: []}", "formats is empty"),
        ("{to: date, formats: [5]}", "1:22: a format must be a text"),
        ("{to: date, formats: ['%d/%m']}", "1:22: '%d/%m' needs one year"),
        ("{to: date, zone: UTC}", "a date has no zone"),
        ("{to: timestamp, epoch: ms, zone: UTC}", "leave zone out"),
        ("{to: timestamp, epoch: days}", "1:24: epoch must be one of s, ms, us, ns, got days"),
        ("{to: timestamp, zone: Mars/Olympus}", "1:23: Mars/Olympus is no time zone"),
        ("{to: timestamp, zone: ../../etc/passwd}", "is no time zone"),
        ("{to: timestamp, zone: ''}", "is no time zone"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        cast_of(parsed(text, "m.yaml"))
    assert message in str(refusal.value)
    assert str(refusal.value).startswith("m.yaml:1:")
