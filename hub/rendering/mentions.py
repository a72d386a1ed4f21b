"""`@name` in text that people write: found in Markdown and in plain text, and made a link."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from html import escape
from typing import Any

from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from hub.rendering.direction import marked
from hub.rendering.safe import SanitisedHtml

# A name as namespaces have it; what stands before must not be a part of a word or an address.
MENTION = re.compile(r"(?<![\w@/.\-])@([A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?)")
PEOPLE = "people"
LINKS_LIMIT = 200  # of one text; what names people more often is no conversation


def names_in(text: str) -> Iterator[str]:
    """Every name after an @, as it is written."""
    return (found[1] for found in MENTION.finditer(text))


def link_mentions(state: StateCore) -> None:
    """A rule of the parser: names of `env["people"]` (in lower case) become links."""
    people: Collection[str] = state.env.get(PEOPLE, ())
    if not people:
        return
    room = LINKS_LIMIT
    for block in state.tokens:
        if block.type == "inline" and block.children and "@" in block.content and room > 0:
            block.children = list(_linked(block.children, people, room))
            room -= sum(child.type == "link_open" for child in block.children)


def plain_texts(tokens: list[Token]) -> Iterator[str]:
    """What is text in parsed Markdown: no code, no link."""
    for block in tokens:
        for child, is_outside in outside_links(block.children or []):
            if is_outside:
                yield child.content


def outside_links(children: list[Token]) -> Iterator[tuple[Token, bool]]:
    """Each piece of a line, and whether it is text that stands in no link."""
    depth = 0
    for child in children:
        depth += _step(child)
        yield child, child.type == "text" and not depth


def text_token(content: str, level: int) -> Token:
    return Token("text", "", 0, content=content, level=level)


def _linked(children: list[Token], people: Collection[str], room: int) -> Iterator[Token]:
    for child, is_outside in outside_links(children):
        if not is_outside or "@" not in child.content:
            yield child
            continue
        for text, name in _pieces(child.content, people, room):
            if name is None:
                yield text_token(text, child.level)
                continue
            room -= 1
            yield Token("link_open", "a", 1, attrs={"href": f"/{name}"}, level=child.level)
            yield text_token(text, child.level + 1)
            yield Token("link_close", "a", -1, level=child.level)


def _step(token: Token) -> int:
    """Links may be of Markdown or of HTML."""
    if token.type in {"link_open", "link_close"}:
        return token.nesting
    if token.type == "html_inline":
        opening = token.content[:2].lower()
        return 1 if opening == "<a" else -1 if token.content[:3].lower() == "</a" else 0
    return 0


def _pieces(text: str, people: Collection[str], room: int) -> Iterator[tuple[str, str | None]]:
    """The text in pieces, those that name somebody with the name, `room` of them at most."""
    start = 0
    for found in MENTION.finditer(text):
        if room <= 0:
            break
        if found[1].lower() in people:
            room -= 1
            yield text[start : found.start()], None
            yield found[0], found[1]
            start = found.end()
    yield text[start:], None


def plain_with_mentions(text: str, people: Collection[str]) -> SanitisedHtml:
    """Plain text, escaped, with links to people."""
    parts: list[Any] = [
        marked(escape(piece)) if name is None else f'<a href="/{escape(name)}">{escape(piece)}</a>'
        for piece, name in _pieces(text, people, LINKS_LIMIT)
    ]
    return SanitisedHtml("".join(parts))
