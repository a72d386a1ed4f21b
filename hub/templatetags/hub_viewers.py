"""Words and small marks of the viewers of files."""

from __future__ import annotations

from collections.abc import Sequence

from django import template

from hub.web.gguf_words import type_said

register = template.Library()


@register.filter
def shape_words(shape: Sequence[int]) -> str:
    """4 096 × 11 008 without the spaces; a scalar is one number."""
    return " × ".join(str(side) for side in shape) or "1"


register.filter("type_said", type_said)
