"""Components that say the same for the same values are rendered once, not on every page anew."""

from __future__ import annotations

import re
from typing import Any

from django.template import Context
from django.template.base import Template
from django.template.loaders import cached
from django.utils.safestring import SafeString
from django.utils.translation import get_language

# What these show depends on the values they are given and on the language alone.
PURE = frozenset(
    f"components/{name}.html"
    for name in (
        *("account_links", "avatar", "card_head", "copy_button", "diagram_head"),
        *("direction_notice", "empty", "foot", "head_links", "icon"),
        *("inbox_link", "logo", "mark", "notice", "oid"),
        *("page_title", "palette", "pill", "requests_refused", "scan_badge"),
        *("search_box", "status", "theme_button", "top_nav"),
    )
)
KEPT = 4096
_ICON = re.compile(r'{% include "components/icon\.html" with name="([a-z0-9-]+)" only %}')
_SHORT = 200  # longer texts are hardly said twice


class Component:
    """A template of PURE; what it has rendered is kept."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._kept: dict[Any, SafeString] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._template, name)

    def render(self, context: Context) -> SafeString:
        """As the template does. Only what is included with `only` can be known by its values."""
        key = _key(context)
        if key is None:
            return self._template.render(context)
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            found = self._kept[key] = self._template.render(context)
        return found


class Loader(cached.Loader):
    """Templates, each read once, and components that remember."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._components: dict[str, Component] = {}

    def get_template(self, template_name: str, skip: Any = None) -> Any:
        if template_name not in PURE:
            return super().get_template(template_name, skip)
        found = self._components.get(template_name)
        if found is None:
            found = Component(super().get_template(template_name, skip))
            self._components[template_name] = found
        return found

    def get_contents(self, origin: Any) -> str:
        """A template's source, each icon that it names drawn already: pages have dozens."""
        return _ICON.sub(self._drawn, super().get_contents(origin))

    def _drawn(self, found: re.Match[str]) -> str:
        drawing = self.get_template("components/icon.html")
        return str(drawing.render(Context({"name": found[1]}))).strip()

    def reset(self) -> None:
        super().reset()
        self._components.clear()


def _key(context: Context) -> Any:
    """All that a component can see; None where that is more than a few short values.

    Of equal values one may be safe HTML and one a person's text: the type is part of the key.
    """
    if len(context.dicts) != 2:  # the names of every context, and those given
        return None
    values = context.dicts[1]
    if not all(isinstance(value, str | int | None) for value in values.values()):
        return None
    if any(isinstance(value, str) and len(value) > _SHORT for value in values.values()):
        return None
    given = tuple((name, type(value), value) for name, value in sorted(values.items()))
    return get_language(), context.autoescape, given
