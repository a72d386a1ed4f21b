"""Rows of many small cells, written here because a page of examples has hundreds of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from hub.templatetags.hub_format import signed

register = template.Library()


@register.simple_tag
def choice_rows(choices: Iterable[Any]) -> SafeString:
    """Rows of `table.choices`: a choice has text, base and candidate (log-likelihoods in nats),
    is_expected, base_picks and candidate_picks."""
    expected = format_html(' <span class="muted small">{}</span>', _("expected"))
    picked = format_html('<span class="visually-hidden">{}</span>', _("picked"))

    def cells(choice: Any) -> tuple[Any, ...]:
        sides = ((choice.base, choice.base_picks), (choice.candidate, choice.candidate_picks))
        numbers = [
            part
            for value, picks in sides
            for part in (" is-picked" if picks else "", picked if picks else "", signed(value, 3))
        ]
        is_right = choice.is_expected
        row = (SafeString(' class="is-expected"'), expected) if is_right else ("", "")
        return (row[0], choice.text, row[1], *numbers)

    line = (
        '<tr{}><td>{}{}</td><td class="right num{}">{}{}</td><td class="right num{}">{}{}</td></tr>'
    )
    return format_html_join("", line, map(cells, choices))
