"""What programs print, with the colours they asked for and none of their other orders."""

from __future__ import annotations

import re
from html import escape

from hub.rendering.safe import SanitisedHtml

LIMIT_CHARACTERS = 64 * 1024
_COLOUR = re.compile(r"\x1b\[([0-9;]{0,40})m")
# Every other escape sequence (cursor, title, links) and control characters but tab and newline.
_ORDERS = re.compile(
    r"\x1b\][^\x07\x1b]{0,300}(?:\x07|\x1b\\)|\x1b\[[0-?]{0,40}[ -/]{0,4}[@-ln-~]|\x1b[^\[\]]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]")


def terminal_html(text: str) -> SanitisedHtml:
    """The first 64 Ki characters of `text` as spans `ansi-31` to `ansi-97`, and `ansi-1` for bold.

    A line that writes over itself, as progress bars do, shows what it ended with.
    """
    text = _ORDERS.sub("", text[:LIMIT_CHARACTERS])
    text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    pieces: list[str] = []
    classes, start = "", 0
    for found in _COLOUR.finditer(text):
        pieces.append(_span(text[start : found.start()], classes))
        classes, start = _next(classes, found[1]), found.end()
    pieces.append(_span(text[start:], classes))
    return SanitisedHtml("".join(pieces))


def _next(classes: str, codes: str) -> str:
    """The classes after an order such as `1;31`; colours of the 256 and of RGB are left out."""
    kept = classes.split()
    for code in codes.split(";") if codes else ["0"]:
        number = int(code or 0)
        if number == 0:
            kept = []
        elif number == 1:
            kept = [*[one for one in kept if one != "ansi-1"], "ansi-1"]
        elif number == 22:
            kept = [one for one in kept if one != "ansi-1"]
        elif 30 <= number <= 37 or 90 <= number <= 97:
            kept = [*[one for one in kept if one == "ansi-1"], f"ansi-{number}"]
        elif number == 39:
            kept = [one for one in kept if one == "ansi-1"]
        elif number in {38, 48}:
            break
    return " ".join(kept)


def _span(text: str, classes: str) -> str:
    clean = escape(_CONTROLS.sub("", text).replace("\x1b", ""))
    return f'<span class="{classes}">{clean}</span>' if classes and clean else clean
