"""A card as plain text: its first words, which lists show, and all of it, which search reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from markdown_it.token import Token

from hub.rendering.markdown import parsed

LENGTH = 200
READ_CHARACTERS = 16 * 1024
_SPACES = frozenset(("softbreak", "hardbreak"))
_SAID = frozenset(("text", "code_inline", "math_inline"))
# What stands between these is no text of the card.
_UNSEEN = re.compile(r"<(?P<end>/?)(script|style|template|title)\b", re.IGNORECASE)
_CLOSING = 40  # a word that begins in the last so many characters is left out, not cut


def summary(text: str) -> str:
    """Sentences of the first paragraphs, without marks, headings, tables, code and HTML."""
    found: list[str] = []
    length = 0
    for line in _paragraphs(parsed(text[:READ_CHARACTERS])):
        if said := " ".join(line.split()):
            found.append(said)
            length += len(said) + 1
        if length > LENGTH:
            break
    return _cut(" ".join(found))


def prose(text: str) -> str:
    """What a card says: titles, paragraphs, lists and tables, without marks, code and HTML."""
    inlines = (token for token in parsed(text[:READ_CHARACTERS]) if token.type == "inline")
    return "\n".join(_text(token.children or ()) for token in inlines)


def _paragraphs(tokens: Sequence[Token]) -> Iterator[str]:
    """The text of paragraphs, those of lists and quotations too; titles of alerts are none."""
    for opening, inline in pairwise(tokens):
        if opening.type == "paragraph_open" and not opening.attrs.get("class"):
            yield _said(inline.children or [])


def _said(children: Sequence[Token]) -> str:
    """What a paragraph says; nothing where all of it is links: badges, languages, contents."""
    depth, is_prose = 0, False
    for child in children:
        depth += (child.type == "link_open") - (child.type == "link_close")
        if child.type in _SAID:
            is_prose = is_prose or (not depth and any(map(str.isalnum, child.content)))
    return _text(children) if is_prose else ""


def _text(children: Iterable[Token]) -> str:
    found, unseen = [], False
    for child in children:
        if child.type == "html_inline" and (tag := _UNSEEN.match(child.content)):
            unseen = not tag["end"]
        elif child.type in _SPACES:
            found.append(" ")
        elif child.type in _SAID and not unseen:
            found.append(child.content)
    return "".join(found)


def _cut(text: str) -> str:
    if len(text) <= LENGTH:
        return text
    kept = text[:LENGTH]
    space = kept.rfind(" ", LENGTH - _CLOSING)  # Chinese has none
    return (kept[:space] if space > 0 else kept) + " …"
