"""The columns of a page, decided before its first byte is sent.

A style that waits for the narrow column to arrive moves all that was painted before it.
"""

from __future__ import annotations

from django import template
from django.template.base import NodeList, Parser, Token
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


class Columns(template.Node):
    child_nodelists = ("main", "aside")

    def __init__(self, main: NodeList, aside: NodeList) -> None:
        self.main, self.aside = main, aside

    def render(self, context: Context) -> SafeString:
        main, aside = self.main.render(context), self.aside.render(context)
        two = " cols--two" if aside.strip() else ""
        made = '<div class="cols{}"><div class="cols-main">{}</div>{}</div>'
        return format_html(made, two, main, aside)


@register.tag
def columns(parser: Parser, token: Token) -> Columns:
    """`{% columns %}`, the page, `{% beside %}`, its aside or nothing, `{% endcolumns %}`"""
    main = parser.parse(("beside",))
    parser.delete_first_token()
    aside = parser.parse(("endcolumns",))
    parser.delete_first_token()
    return Columns(main, aside)
