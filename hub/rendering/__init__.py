"""What people write, as HTML that is safe to show. Plain Python: text in, sanitised HTML out."""

from __future__ import annotations

from hub.rendering.code import code_lines, fence_lines
from hub.rendering.markdown import (
    Document,
    Heading,
    mentioned_in,
    render_document,
    render_markdown,
    sanitised_html,
)
from hub.rendering.mentions import names_in, numbers_in, plain_with_mentions
from hub.rendering.safe import SanitisedHtml

__all__ = [
    "Document",
    "Heading",
    "SanitisedHtml",
    "code_lines",
    "fence_lines",
    "mentioned_in",
    "names_in",
    "numbers_in",
    "plain_with_mentions",
    "render_document",
    "render_markdown",
    "sanitised_html",
]
