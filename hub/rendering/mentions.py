"""`@name` and `#7` in text that people write: found in Markdown and plain text, made links."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from hub.rendering.direction import marked
from hub.rendering.safe import SanitisedHtml

# A name as namespaces have it; what stands before must not be a part of a word or an address.
MENTION = re.compile(r"(?<![\w@/.\-])@([A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?)")
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
# A number in this repository, or in another as its page is called: #7, owner/name#7,
# datasets/owner/name#7.
NUMBERED = re.compile(
    rf"(?<![\w&@#/.\-])(?:(?:[a-z]{{1,12}}/)?{_NAME}/{_NAME})?#[1-9][0-9]{{0,8}}(?!\w)"
)
PEOPLE, NUMBERS = "people", "numbers"
LINKS_LIMIT = 200  # of one text; what names people more often is no conversation


@dataclass(frozen=True)
class Links:
    """What in a text leads somewhere: people by name, discussions by what is written of them."""

    people: Collection[str] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.people or self.numbers)

    def may_be_in(self, text: str) -> bool:
        return bool((self.people and "@" in text) or (self.numbers and "#" in text))

    def found(self, text: str) -> list[tuple[int, int, str]]:
        """Where each begins and ends in `text`, and its address, in order."""
        spots = [
            (found.start(), found.end(), f"/{found[1]}")
            for found in (MENTION.finditer(text) if self.people else ())
            if found[1].lower() in self.people
        ]
        spots += [
            (found.start(), found.end(), self.numbers[found[0].lower()])
            for found in (NUMBERED.finditer(text) if self.numbers else ())
            if found[0].lower() in self.numbers
        ]
        return sorted(spots)


def names_in(text: str) -> Iterator[str]:
    """Every name after an @, as it is written."""
    return (found[1] for found in MENTION.finditer(text))


def numbers_in(text: str) -> Iterator[str]:
    """Every `#7` and `owner/name#7`, as it is written."""
    return (found[0] for found in NUMBERED.finditer(text)) if "#" in text else iter(())


def link_mentions(state: StateCore) -> None:
    """A rule of the parser: names of `env["people"]` and what `env["numbers"]` knows become links;
    both are in lower case."""
    links = Links(state.env.get(PEOPLE, ()), state.env.get(NUMBERS, {}))
    if not links:
        return
    room = LINKS_LIMIT
    for block in state.tokens:
        if block.type == "inline" and block.children and links.may_be_in(block.content):
            if room <= 0:
                return
            block.children = list(_linked(block.children, links, room))
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


def _linked(children: list[Token], links: Links, room: int) -> Iterator[Token]:
    for child, is_outside in outside_links(children):
        if not is_outside or not links.may_be_in(child.content):
            yield child
            continue
        for text, address in _pieces(child.content, links, room):
            if address is None:
                yield text_token(text, child.level)
                continue
            room -= 1
            yield Token("link_open", "a", 1, attrs={"href": address}, level=child.level)
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


def _pieces(text: str, links: Links, room: int) -> Iterator[tuple[str, str | None]]:
    """The text in pieces, those that name what has a page with its address, `room` at most."""
    start = 0
    for begin, end, address in links.found(text)[: max(room, 0)]:
        yield text[start:begin], None
        yield text[begin:end], address
        start = end
    yield text[start:], None


def plain_with_mentions(text: str, people: Collection[str]) -> SanitisedHtml:
    """Plain text, escaped, with links to people."""
    parts: list[Any] = [
        marked(escape(piece))
        if address is None
        else f'<a href="{escape(address)}">{escape(piece)}</a>'
        for piece, address in _pieces(text, Links(people), LINKS_LIMIT)
    ]
    return SanitisedHtml("".join(parts))
