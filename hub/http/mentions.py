"""Texts of people with links to the people whom they name: one query for all of a page.

Every name after an @ is asked about, in code as well; the renderer links those in text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from django.utils.translation import gettext as _

from hub.policies import people_named
from hub.rendering import (
    SanitisedHtml,
    names_in,
    plain_with_mentions,
    render_markdown,
)
from hub.rendering.targets import LinkMaker


def render_all(
    texts: Iterable[str], *, numbers: Mapping[str, str] | None = None
) -> list[SanitisedHtml]:
    """Markdown of comments, each as HTML; nothing is asked where nobody is named.

    `numbers`: addresses of what is written as `#7` or `owner/name#7`, in lower case.
    """
    bodies = list(texts)
    people = people_named(chain.from_iterable(map(names_in, bodies)))
    words = alert_words()
    return [
        render_markdown(body, people=people, numbers=numbers, alert_words=words) for body in bodies
    ]


def render_card(text: str, *, link: LinkMaker | None = None, folder: str = "") -> SanitisedHtml:
    """A card, or another Markdown file."""
    people = people_named(names_in(text))
    return render_markdown(text, link=link, folder=folder, people=people, alert_words=alert_words())


def render_message(text: str) -> SanitisedHtml:
    """A commit's message, which is plain text."""
    return plain_with_mentions(text, people_named(names_in(text)))


def alert_words() -> dict[str, str]:
    """The titles of GitHub's alerts in the reader's language."""
    return {
        "note": _("Note"),
        "tip": _("Tip"),
        "important": _("Important"),
        "warning": _("Warning"),
        "caution": _("Caution"),
    }
