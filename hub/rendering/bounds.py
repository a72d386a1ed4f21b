"""What keeps the cost of Markdown within its length: alone the parser lets it grow with the square.

Its rules look ahead to the end of a paragraph from every bracket, tick or dollar, so a paragraph is
read in pieces. What is written once and used often, the target of a link, has a budget.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy, deepcopy
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, blockquote, table
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

# Longer than any paragraph that somebody reads; marks that reach over a cut stay as written.
PIECE_CHARACTERS = 4 * 1024
# How deep marks within a paragraph, and quotations, stand in one another.
INLINE_NESTING, QUOTES_NESTING = 8, 8
# Of all tables: cells that a row leaves out are made all the same.
TABLE_TOKENS = 100_000
# Of all targets and titles together, each as often as it is used.
REFERENCES_CHARACTERS = 512 * 1024
_CUTS = (re.compile(r".*\n", re.DOTALL), re.compile(r".*\s", re.DOTALL))


class References(dict[str, dict[str, Any]]):
    """The targets of `[label]: target`, found as long as there is room for them."""

    room = REFERENCES_CHARACTERS

    def get(self, label: str, default: Any = None) -> Any:
        found = super().get(label, default)
        if found is not None:
            self.room -= len(found["href"]) + len(found["title"])
        return found if self.room >= 0 else default


def shallow(parser: MarkdownIt) -> MarkdownIt:
    """The same parser for what stands within a paragraph: each level costs as much as all of it."""
    made = copy(parser)
    made.options = deepcopy(parser.options)
    made.options["maxNesting"] = INLINE_NESTING
    return made


def quote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """The parser's rule `blockquote`; every level reads all lines again."""
    depth = state.env.get("quotes", 0)
    if depth >= QUOTES_NESTING:
        return False
    state.env["quotes"] = depth + 1
    try:
        return blockquote(state, start, end, silent)
    finally:
        state.env["quotes"] = depth


def bounded_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """The parser's rule `table`, as long as there is room for tables."""
    used, before = state.env.get("table_tokens", 0), len(state.tokens)
    is_table = used < TABLE_TOKENS and table(state, start, end, silent)
    state.env["table_tokens"] = used + len(state.tokens) - before
    return is_table


def parse_inline(state: StateCore, *, shallow: MarkdownIt) -> None:
    """The parser's rule `inline`, for each paragraph piece by piece."""
    for token in state.tokens:
        if token.type == "inline":
            token.children = token.children or []
            for piece in pieces(token.content):
                children: list[Token] = []
                shallow.inline.parse(piece, shallow, state.env, children)
                token.children.extend(children)


def pieces(text: str) -> Iterator[str]:
    """The text, cut behind a line or a word in the later half of a piece."""
    start = 0
    while len(text) - start > PIECE_CHARACTERS:
        half, end = start + PIECE_CHARACTERS // 2, start + PIECE_CHARACTERS
        for cut in _CUTS:
            if found := cut.match(text, half, end):
                end = found.end()
                break
        yield text[start:end]
        start = end
    yield text[start:]
