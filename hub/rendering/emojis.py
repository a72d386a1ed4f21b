"""Emoji by their short names, as GitHub has them: `:rocket:` in the text of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import emoji
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

# An address is passed over whole. Colons of words and times, as in `a:b:c`, name nothing, while
# Chinese stands beside a name without a space.
_NAMED = re.compile(
    r"(?:https?://|www\.)\S*|(?<![A-Za-z0-9_:/])((?::[a-z0-9_+-]{1,60}:)+)(?![A-Za-z0-9_:])",
    re.IGNORECASE,
)
_NAME = re.compile(r":[^:]+:")
_CODE = re.compile(r"<(/?)(?:code|pre|kbd|samp)\b", re.IGNORECASE)


def name_emojis(state: StateCore) -> None:
    """A rule of the parser: short names in text become emoji; code and addresses stay."""
    for block in state.tokens:
        if block.type == "inline" and block.children and ":" in block.content:
            for text in _texts(block.children):
                text.content = _NAMED.sub(_named, text.content)


def _named(found: re.Match[str]) -> str:
    return _NAME.sub(lambda name: _emoji(name[0]), found[1]) if found[1] else found[0]


@lru_cache(maxsize=1024)
def _emoji(name: str) -> str:
    found = emoji.emojize(name.lower(), language="alias")
    return name if found.startswith(":") else found


def _texts(children: list[Token]) -> Iterator[Token]:
    """The pieces of a line that are text: in no code of HTML and in no bare address."""
    depth = 0
    for child in children:
        if child.type == "html_inline" and (tag := _CODE.match(child.content)):
            depth = max(0, depth + (-1 if tag[1] else 1))
        elif child.markup == "autolink":
            depth += child.nesting
        elif child.type == "text" and not depth:
            yield child
