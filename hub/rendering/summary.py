"""The first words of a card as plain text: what lists show and search reads of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from markdown_it.token import Token

from hub.rendering.markdown import parsed

LENGTH = 200
READ_CHARACTERS = 16 * 1024
_SPACES = frozenset(("softbreak", "hardbreak"))
_SAID = frozenset(("text", "code_inline", "math_inline"))
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


def _paragraphs(tokens: Sequence[Token]) -> Iterator[str]:
    """The text of paragraphs, those of lists and quotations too; titles of alerts are none."""
    for opening, inline in pairwise(tokens):
        if opening.type == "paragraph_open" and not opening.attrs.get("class"):
            yield _said(inline.children or [])


def _said(children: Sequence[Token]) -> str:
    """What a paragraph says; nothing where all of it is links: badges, languages, contents."""
    pieces: list[str] = []
    depth, is_prose = 0, False
    for child in children:
        depth += (child.type == "link_open") - (child.type == "link_close")
        if child.type in _SPACES:
            pieces.append(" ")
        elif child.type in _SAID:
            pieces.append(child.content)
            is_prose = is_prose or (not depth and any(map(str.isalnum, child.content)))
    return "".join(pieces) if is_prose else ""


def _cut(text: str) -> str:
    if len(text) <= LENGTH:
        return text
    kept = text[:LENGTH]
    space = kept.rfind(" ", LENGTH - _CLOSING)  # Chinese has none
    return (kept[:space] if space > 0 else kept) + " …"
