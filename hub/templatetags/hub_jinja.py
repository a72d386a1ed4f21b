"""What every page draws, and long lists: as Django templates they cost a page ten milliseconds, as
Jinja one (decision 31).

The templates lie in `templates/jinja`, escape what they are given, and miss nothing silently.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import chain
from typing import Any
from urllib.parse import quote

from django import template
from django.conf import settings
from django.template.loader import get_template
from django.utils.translation import get_language, gettext, ngettext, pgettext
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hub.http.components import KEPT, PURE
from hub.templatetags.hub_format import (
    ago,
    bytes_short,
    count_short,
    diff_has_marks,
    in_order,
    short_oid,
)
from hub.templatetags.hub_markup import markup
from hub.web.field_words import task_name

register = template.Library()


@register.simple_tag
def jinja(name: str, **values: Any) -> Markup:
    """`templates/jinja/<name>.html` with these values."""
    return Markup(_environment().get_template(f"{name}.html").render(values))  # noqa: S704


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(settings.BASE_DIR / "templates" / "jinja"),
        undefined=StrictUndefined,
        trim_blocks=True,
        auto_reload=settings.DEBUG,
    )
    words = {"_": gettext, "ngettext": ngettext, "pgettext": pgettext}
    environment.globals |= words | {"component": component, "icon": icon}
    numbers = (ago, bytes_short, count_short, short_oid, task_name)
    texts = (diff_has_marks, in_order, markup, quoted)
    environment.filters |= {each.__name__: each for each in (*numbers, *texts)}
    return environment


def quoted(text: str) -> str:
    """As one segment of an address: a slash too."""
    return quote(text, safe="")


def component(name: str, /, **values: str | int | None) -> Markup:
    """`templates/components/<name>.html`, one of `http.components.PURE`, with short values."""
    return _drawn(get_language(), name, *chain.from_iterable(values.items()))


# Of equal values one may be safe HTML and one a person's text: the type is part of the key.
@lru_cache(maxsize=KEPT, typed=True)
def _drawn(_language: str | None, name: str, *values: Any) -> Markup:
    given = dict(zip(values[::2], values[1::2], strict=True))
    return Markup(_template(name).render(given).strip())  # noqa: S704


def icon(name: str) -> Markup:
    """One drawing of the sprite, as decoration."""
    return component("icon", name=name)


@cache
def _template(name: str) -> Any:
    if (path := f"components/{name}.html") not in PURE:
        raise ValueError(f"{path} may depend on more than the values that it is given.")
    return get_template(path)
