"""GitHub's task lists: an item that begins with [ ] or [x] gets a box that nobody ticks here."""

from __future__ import annotations

import re

from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_MARK = re.compile(r"\[([ xX])\][ \t\n]+")


def mark_tasks(state: StateCore) -> None:
    """Put a box, and a label around the line, where such a mark stands."""
    for at, token in enumerate(state.tokens):
        if token.type != "inline" or at < 2 or state.tokens[at - 2].type != "list_item_open":
            continue
        mark = _MARK.match(token.content)
        children = token.children or []
        first = children[0] if children else None
        if mark is None or first is None or first.type != "text":
            continue
        checked = "" if mark[1] == " " else ' checked=""'
        box = Token("html_inline", "", 0, content=f'<label><input type="checkbox"{checked}>')
        first.content = first.content[3:]
        token.content = token.content[3:]
        end = Token("html_inline", "", 0, content="</label>")
        token.children = [box, *children, end]
