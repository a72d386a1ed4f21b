"""Lines of code and diffs for the templates."""

from __future__ import annotations

from django import template

from hub.rendering import SanitisedHtml, code_lines, render_markdown

register = template.Library()


@register.filter
def highlighted(text: str, file_name: str) -> list[SanitisedHtml]:
    """The lines of `text`, coloured by the kind of file that `file_name` suggests."""
    return code_lines(text, file_name)


@register.filter
def markdown(text: str) -> SanitisedHtml:
    """A comment: Markdown without relative links. Pass it on to the `markup` filter."""
    return render_markdown(text)
