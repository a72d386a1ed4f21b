"""What people write, as HTML that is safe to show. Plain Python: text in, sanitised HTML out."""

from __future__ import annotations

from hub.rendering.code import code_lines
from hub.rendering.markdown import Document, Heading, render_document, render_markdown
from hub.rendering.safe import SanitisedHtml

__all__ = [
    "Document",
    "Heading",
    "SanitisedHtml",
    "code_lines",
    "render_document",
    "render_markdown",
]
