"""Sound and films in Markdown: a player for a file of the repository, a link to anything else.

A player is written anew from its tag and its sources. What stands inside for browsers without
players goes, and so does what would play unasked.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from html import escape, unescape
from posixpath import splitext
from typing import Any
from urllib.parse import urlsplit

from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from hub.rendering.media import AUDIO, VIDEO
from hub.rendering.targets import Targets

TAGS = frozenset({"audio", "video"})
ATTRIBUTES = {
    "audio": {"src", "loop", "muted"},
    "video": {"src", "poster", "width", "height", "loop", "muted"},
}
# How each is shown, whatever its author wrote: nothing is fetched but what says how long it is.
SHOWN = {tag: {"controls": "", "preload": "metadata"} for tag in TAGS}
# Where the end of one is looked for: a player holds some sources and a sentence.
CONTENT_LIMIT_CHARACTERS = 4_096
SOURCES_LIMIT = 8
_SOURCE = re.compile(
    r"[ \t\n\r\f]src[ \t\n\r\f]*=[ \t\n\r\f]*(?:\"([^\"]*)\"|'([^']*)'|([^ \t\n\r\f\"'=<>`]+))",
    re.IGNORECASE,
)
_SOURCE_TAG = re.compile(r"<source\b([^<>]{0,2000})>", re.IGNORECASE)
_END = {tag: re.compile(rf"</{tag}[ \t\n\r\f]*>", re.IGNORECASE) for tag in TAGS}


def kind_of(address: str) -> str:
    """The tag that plays what lies at an address, by its name; "" for none."""
    try:
        suffix = splitext(urlsplit(address).path)[1].lower()
    except ValueError:
        return ""
    return "audio" if suffix in AUDIO else "video" if suffix in VIDEO else ""


def source_of(targets: Targets, value: str) -> str | None:
    """The address that a player gets: of a file of this repository that is played, or None."""
    is_relative = not value.strip().startswith(("/", "\\", "#"))
    return targets.leads(value, is_image=True) if is_relative and kind_of(value) else None


def end_of(tag: str, html: str, at: int) -> tuple[str, int]:
    """What stands inside of a player whose tag ends at `at`, and where it ends itself."""
    end = _END[tag].search(html, at, at + CONTENT_LIMIT_CHARACTERS)
    return (html[at : end.start()], end.end()) if end else ("", at)


def player(targets: Targets, tag: str, attributes: str, content: str) -> str:
    """A player as HTML that is still to be sanitised; links, where nothing of it is of here."""
    inner = [found[1] for found in _SOURCE_TAG.finditer(content)][:SOURCES_LIMIT]
    written = [_source_in(each) for each in (attributes, *inner)]
    is_here = [source_of(targets, each) is not None for each in written]
    if any(is_here):
        kept = [each for each, here in zip(written[1:], is_here[1:], strict=True) if here]
        sources = "".join(f'<source src="{escape(each)}">' for each in kept)
        return f"<{tag}{attributes}>{sources}</{tag}>"
    links = dict.fromkeys(each for each in written if each)
    return " ".join(f'<a href="{escape(each)}">{escape(each)}</a>' for each in links)


def _source_in(attributes: str) -> str:
    found = _SOURCE.search(attributes)
    return unescape(found[1] or found[2] or found[3] or "") if found else ""


def image(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any,
    env: MutableMapping[str, Any],
) -> str:  # fmt: skip
    """A picture of Markdown; the name of a sound or a film makes it a player."""
    token = tokens[at]
    address = str(token.attrs.get("src", ""))
    if not (tag := kind_of(address)):
        return renderer.image(tokens, at, options, env)
    said = renderer.renderInlineAsText(token.children, options, env)
    title = str(token.attrs.get("title") or said)
    return f'<{tag} src="{escape(address)}" title="{escape(title)}"></{tag}>'
