"""Templates escape what they print."""

from __future__ import annotations

import re

import jinja2
import pytest

from pipelines.console.rendering.templates import FOLDER, environment, render

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "</title></textarea></style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "<!--<script>",
    "]]><script>alert(1)</script>",
    "\x00<\x00script>alert(1)</script>",
    "&lt;script&gt;",
]
PLACES = [
    "<p>{{ x }}</p>",
    '<p title="{{ x }}"></p>',
    "<p title='{{ x }}'></p>",
    "<pre>{{ x|shown }}</pre>",
    "<p>{{ x|e }}</p>",
    '<a href="{{ link("/x", a=x) }}"></a>',
    "{% set y %}<b>{{ x }}</b>{% endset %}{{ y }}",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", PLACES)
def test_hostile_text_stays_text(place: str, text: str) -> None:
    page = environment().from_string(place).render(x=text)
    empty = environment().from_string(place).render(x="")
    assert len(re.findall("<", page)) == len(re.findall("<", empty))
    assert page.count('"') == empty.count('"')
    assert page.count("'") == empty.count("'")
    assert "\0" not in page


def test_what_is_invisible_is_spelled_out_without_being_asked_to() -> None:
    template = environment().from_string("{{ x }}|{{ x|shown }}")
    assert template.render(x="a\u202e\x1b\nb") == "a\\u202e\\x1b\nb|a\\u202e\\x1b\\nb"


def test_a_name_without_a_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        environment().from_string("{{ nothing }}").render()


def test_times_follow_the_readers_choice() -> None:
    template = environment().from_string("{{ 0|time }}")
    assert "ago" in template.render(times="relative")
    assert "ago" not in template.render(times="utc")


def test_no_template_has_inline_script_style_or_unescaped_values() -> None:
    forbidden = re.compile(
        r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:|\|\s*safe\b|autoescape",
        re.IGNORECASE,
    )
    offences = {
        path.name: match[0]
        for path in FOLDER.glob("*.html")
        if (match := forbidden.search(path.read_text()))
    }
    assert offences == {}


def test_every_template_can_be_read() -> None:
    names = environment().list_templates()
    assert "base.html" in names
    for name in names:
        environment().get_template(name)
    assert "<kbd>" in render("keys.html")
