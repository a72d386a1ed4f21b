"""What people write, as HTML that is safe to show. Plain Python: text in, sanitised HTML out."""

from __future__ import annotations

from hub.rendering.code import code_lines, fence_lines
from hub.rendering.markdown import render_markdown
from hub.rendering.safe import SanitisedHtml

__all__ = ["SanitisedHtml", "code_lines", "fence_lines", "render_markdown"]
