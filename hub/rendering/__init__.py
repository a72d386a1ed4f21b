"""What people write, as HTML that is safe to show. Plain Python: text in, sanitised HTML out."""

from __future__ import annotations

from hub.rendering.code import code_lines
from hub.rendering.markdown import render_markdown, sanitised_html
from hub.rendering.safe import SanitisedHtml

__all__ = ["SanitisedHtml", "code_lines", "render_markdown", "sanitised_html"]
