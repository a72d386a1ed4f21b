"""Source text as highlighted lines: Pygments' tokens, our escaping, bounded size and time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache
from html import escape

from pygments.lexer import Lexer
from pygments.lexers import find_lexer_class_for_filename, get_lexer_by_name
from pygments.token import Token, _TokenType
from pygments.util import ClassNotFound

from hub.rendering.direction import marked
from hub.rendering.safe import SanitisedHtml

HIGHLIGHT_LIMIT_BYTES = 1024 * 1024
LINE_LIMIT_CHARACTERS = 10_000  # a lexer can be quadratic in the length of a line
TIME_LIMIT_SECONDS = 2.0

# The classes of static/css/syntax.css: one letter a kind, found by walking up the token's parents.
CLASSES: dict[_TokenType, str] = {
    Token.Keyword: "k",
    Token.Operator.Word: "k",
    Token.String: "s",
    Token.Number: "m",
    Token.Comment: "c",
    Token.Name.Function: "f",
    Token.Name.Class: "f",
    Token.Name.Decorator: "a",
    Token.Name.Attribute: "a",
    Token.Name.Builtin: "f",
    Token.Name.Constant: "m",
    Token.Name.Tag: "t",
    Token.Name.Entity: "t",
    Token.Generic.Heading: "h",
    Token.Generic.Subheading: "h",
    Token.Generic.Strong: "h",
    Token.Generic.Inserted: "gi",
    Token.Generic.Deleted: "gd",
    Token.Operator: "o",
    Token.Punctuation: "o",
}


def code_lines(text: str, file_name: str) -> list[SanitisedHtml]:
    """One piece of HTML a line of `text`, highlighted by the kind of file `file_name` suggests.

    A text over 1 MiB, or with a very long line, or that takes over 2 s, comes escaped and plain.
    """
    found = _lexer_class(file_name.rsplit("/", 1)[-1])
    if found is None:
        return plain_lines(text)
    return _highlighted(text, found(stripnl=False, ensurenl=False))


# It holds a name against the patterns of five hundred languages.
_lexer_class = lru_cache(maxsize=2_000)(find_lexer_class_for_filename)


def fence_html(text: str, language: str) -> str:
    """The inside of a fenced block in a card, highlighted when the language is known."""
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return marked(escape(text))
    return "\n".join(_highlighted(text, lexer)) + "\n"


def fence_lines(text: str, language: str) -> list[SanitisedHtml]:
    """`code_lines` of a text whose language is known by its name."""
    return _highlighted(text, get_lexer_by_name(language, stripnl=False, ensurenl=False))


def plain_lines(text: str) -> list[SanitisedHtml]:
    """The lines of `text`, escaped."""
    return [marked(escape(line)) for line in _split(text)]


def _split(text: str) -> list[str]:
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def _highlighted(text: str, lexer: Lexer) -> list[SanitisedHtml]:
    lines = _split(text)
    if len(text) > HIGHLIGHT_LIMIT_BYTES or max(map(len, lines)) > LINE_LIMIT_CHARACTERS:
        return plain_lines(text)
    marked = list(_mark(lexer, "\n".join(lines)))
    return marked if len(marked) == len(lines) else plain_lines(text)


def _mark(lexer: Lexer, text: str) -> Iterator[SanitisedHtml]:
    """Lines of spans; stops early, so that the caller falls back, when the time is up."""
    deadline = time.monotonic() + TIME_LIMIT_SECONDS
    line: list[str] = []
    for kind, value in lexer.get_tokens(text):
        name = _class_of(kind)
        first, *rest = value.split("\n")
        line.append(_span(first, name))
        for piece in rest:
            yield SanitisedHtml("".join(line))
            line = [_span(piece, name)]
            if time.monotonic() > deadline:
                return
    yield SanitisedHtml("".join(line))


def _class_of(kind: _TokenType) -> str:
    step: _TokenType | None = kind
    while step is not None:
        if step in CLASSES:
            return CLASSES[step]
        step = step.parent
    return ""


def _span(text: str, name: str) -> str:
    if not text:
        return ""
    shown = marked(escape(text))
    return f'<span class="{name}">{shown}</span>' if name else shown
