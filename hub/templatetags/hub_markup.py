"""The one place where text becomes markup (`mark_safe` is called nowhere else)."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString, mark_safe

from hub.rendering import SanitisedHtml

register = template.Library()


@register.filter
def markup(html: SanitisedHtml) -> SafeString:
    """HTML that `hub.rendering` made; anything else is refused.

    Raises: TypeError for a plain string, which would be a hole.
    """
    if not isinstance(html, SanitisedHtml):
        raise TypeError(f"Only hub.rendering makes markup; this is {type(html).__name__}.")
    return mark_safe(html)  # noqa: S308
