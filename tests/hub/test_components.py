"""Components that remember what they rendered."""

from __future__ import annotations

import pytest
from django.template import engines
from django.utils.safestring import mark_safe
from django.utils.translation import override

from hub.http import components
from hub.http.components import Component

PILL = '{% include "components/pill.html" with text=text only %}'


def render(text: object, source: str = PILL, **more: object) -> str:
    return engines["django"].from_string(source).render({"text": text, **more})


def kept() -> Component:
    return engines["django"].engine.get_template("components/pill.html")


def test_equal_values_are_rendered_once():
    kept()._kept.clear()
    assert render("once") == render("once")
    assert len(kept()._kept) == 1


def test_a_person_s_text_is_not_taken_for_the_same_text_made_safe():
    safe = mark_safe("<b>bold</b>")
    assert "<b>bold</b>" in render(safe)
    assert "&lt;b&gt;bold&lt;/b&gt;" in render("<b>bold</b>")
    assert "<b>bold</b>" in render(safe)


def test_every_language_has_its_own_words():
    source = '{% include "components/status.html" with value=text only %}'
    with override("en"):
        english = render("pass", source)
    with override("zh-hans"):
        assert render("pass", source) != english


def test_an_icon_inside_of_a_page_s_whole_context_is_not_kept():
    kept()._kept.clear()
    assert "inherited" in render("inherited", '{% include "components/pill.html" %}')
    assert not kept()._kept


@pytest.mark.parametrize("text", ["x" * 1000, 5.0, ["list"]])
def test_what_is_long_or_no_plain_text_is_rendered_anew(text):
    kept()._kept.clear()
    render(text)
    assert not kept()._kept


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(components, "KEPT", 3)
    kept()._kept.clear()
    for number in range(10):
        render(f"text {number}")
    assert len(kept()._kept) <= 3
