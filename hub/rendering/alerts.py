"""GitHub's alerts: a quotation that begins with [!NOTE] and its like."""

from __future__ import annotations

import re

from markdown_it.rules_core import StateCore
from markdown_it.token import Token

# The five that GitHub knows, with the word that stands above each.
ALERTS = {
    "note": "Note",
    "tip": "Tip",
    "important": "Important",
    "warning": "Warning",
    "caution": "Caution",
}
_MARK = re.compile(rf"\[!({'|'.join(ALERTS)})\]\s*", re.IGNORECASE)


def mark_alerts(state: StateCore) -> None:
    """Give such quotations a class and a title in place of their mark."""
    words = state.env["draft"].alert_words
    found: list[Token] = []
    for at, token in enumerate(state.tokens):
        found.append(token)
        if token.type != "inline" or at < 2 or state.tokens[at - 2].type != "blockquote_open":
            continue
        children = token.children or []
        mark = _MARK.fullmatch(children[0].content) if children else None
        is_alone = len(children) == 1 or (children[1:2] and children[1].type == "softbreak")
        if mark is None or not is_alone:
            continue
        name = mark[1].lower()
        state.tokens[at - 2].attrSet("class", f"alert alert--{name}")
        token.children = children[2:]
        token.content = token.content.partition("\n")[2]
        paragraph = found.pop(-2)
        found[-1:] = [*_title(words.get(name, ALERTS[name]), paragraph.level), paragraph, token]
    state.tokens[:] = found


def _title(word: str, level: int) -> list[Token]:
    text = Token("text", "", 0, content=word)
    opening = Token("paragraph_open", "p", 1, attrs={"class": "alert-title"}, level=level)
    inline = Token("inline", "", 0, content=word, children=[text], level=level + 1)
    return [opening, inline, Token("paragraph_close", "p", -1, level=level)]
