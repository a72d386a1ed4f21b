"""Long lists: a hundred rows as a Django template cost a page ten milliseconds, as Jinja one.

The templates lie in `templates/rows`, escape what they are given, and miss nothing silently.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django import template
from django.conf import settings
from django.template.loader import get_template
from django.utils.translation import gettext
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hub.templatetags.hub_format import ago, bytes_short, in_order, short_oid
from hub.templatetags.hub_markup import markup

register = template.Library()


@register.simple_tag
def rows(name: str, **values: Any) -> Markup:
    """`templates/rows/<name>.html` with these values."""
    return Markup(_environment().get_template(f"{name}.html").render(values))  # noqa: S704


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(settings.BASE_DIR / "templates" / "rows"),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.globals |= {"_": gettext, "component": component}
    environment.filters |= {
        each.__name__: each for each in (ago, bytes_short, in_order, markup, short_oid)
    }
    return environment


def component(name: str, /, **values: Any) -> str:
    """`templates/components/<name>.html`, which keeps what it has drawn."""
    return _template(name).render(values)


@cache
def _template(name: str) -> Any:
    return get_template(f"components/{name}.html")
