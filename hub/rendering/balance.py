"""HTML with every tag closed where it should be, before it is sanitised.

A browser's parser opens forgotten `<b>`s again in every paragraph that follows, and deep trees cost
it the square of their depth: a few KiB become many MiB. Here tags are paired in one pass, so that
the depth is known and no element outlives its parent. What is not allowed goes already here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hub.rendering import players

DEPTH_LIMIT = 300
# The lengths of all open tags, added up at every tag: what could be opened again there.
WEIGHT_LIMIT_CHARACTERS = 4 * 1024 * 1024
VOID = frozenset({"br", "col", "hr", "img", "input", "source", "wbr"})
# Their content goes too.
UNSEEN = frozenset({"script", "style", "template", "noscript", "iframe", "title"})
_CELLS = frozenset({"td", "th", "p"})
_ROWS = _CELLS | {"tr"}
_PARTS = _ROWS | {"thead", "tbody", "tfoot"}
# Which tags at the end of the row of open ones a new one closes, since authors may leave that out.
_CLOSES = {
    "p": frozenset({"p"}),
    "li": frozenset({"li", "p"}),
    **dict.fromkeys(("dt", "dd"), frozenset({"dt", "dd", "p"})),
    **dict.fromkeys(("td", "th"), _CELLS),
    "tr": _ROWS,
    **dict.fromkeys(("thead", "tbody", "tfoot"), _PARTS),
}
_NOTHING: frozenset[str] = frozenset()
_SPACE = r"[ \t\n\r\f]"
_VALUE = r"(?>\"[^\"]*+\"|'[^']*+'|[^ \t\n\r\f\"'=<>`]++)"
_ALT = re.compile(rf"{_SPACE}alt(?:[ \t\n\r\f=]|\Z)", re.IGNORECASE)
_TAG = re.compile(
    rf"<(/?)([A-Za-z][A-Za-z0-9-]*+)"
    rf"((?>{_SPACE}++[^\s\"'<>/=]++(?>{_SPACE}*+={_SPACE}*+{_VALUE})?+)*+){_SPACE}*+(/?)>"
)


# What a player is written as, from its tag's name, its attributes and what stands inside of it.
Player = Callable[[str, str, str], str]


@dataclass
class Balanced:
    """What has been written, and which tags are open."""

    allowed: frozenset[str]
    player: Player
    parts: list[str] = field(default_factory=list)
    opened: list[tuple[str, int]] = field(default_factory=list)
    names: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    weight: int = 0
    is_refused: bool = False

    def open(self, name: str, attributes: str) -> None:
        """Begin an element. Fields of forms are left out, pictures without words are decoration."""
        while self.opened and self.opened[-1][0] in _CLOSES.get(name, _NOTHING):
            self.close_last()
        if name == "input" and "".join(self.parts[-2:]) != "<label>":
            return  # only a task's box has a name, its label
        if name == "img" and not _ALT.search(attributes):
            attributes += ' alt=""'
        tag = f"<{name}{attributes}>"
        self.parts.append(tag)
        if name not in VOID:
            self.opened.append((name, len(tag)))
            self.names[name] += 1
            self.characters += len(tag)
        self.weigh()

    def close(self, name: str) -> None:
        if self.names[name]:
            while self.close_last() != name:
                pass
            self.weigh()

    def close_last(self) -> str:
        name, length = self.opened.pop()
        self.names[name] -= 1
        self.characters -= length
        if name != "label" or self.has_words_of_label():
            self.parts.append(f"</{name}>")
        return name

    def has_words_of_label(self) -> bool:
        """Whether the open label names its box; one without words is taken away, with its box."""
        begin = len(self.parts) - 1
        while not self.parts[begin].startswith("<label"):
            begin -= 1
        inner = self.parts[begin + 1 :]
        if any(part.strip() and not part.startswith("<") for part in inner):
            return True
        self.parts[begin:] = [part for part in inner if not part.startswith("<input")]
        return False

    def weigh(self) -> None:
        self.weight += self.characters
        if len(self.opened) > DEPTH_LIMIT or self.weight > WEIGHT_LIMIT_CHARACTERS:
            self.is_refused = True


def balanced(html: str, allowed: frozenset[str], player: Player) -> str | None:
    """The same with the `allowed` tags only, each closed; None: it is too deep or too heavy."""
    made = Balanced(allowed, player)
    at = 0
    while (found := html.find("<", at)) >= 0 and not made.is_refused:
        made.parts.append(html[at:found])
        at = _step(made, html, found)
    made.parts.append(html[at:])
    while made.opened:
        made.close_last()
    return None if made.is_refused else "".join(made.parts)


def _step(made: Balanced, html: str, at: int) -> int:
    """Write what begins at this `<`; where it ends."""
    if html.startswith(("<!", "<?"), at):
        mark = "-->" if html.startswith("<!--", at) else ">"
        return _behind(html, mark, at + 2)
    tag = _TAG.match(html, at)
    if tag is None:
        made.parts.append("&lt;")
        return at + 1
    is_end, name, attributes, is_alone = tag[1], tag[2].lower(), tag[3], tag[4]
    if name in UNSEEN and not is_end:
        closing = re.compile(rf"</{name}{_SPACE}*+>", re.IGNORECASE).search(html, tag.end())
        return closing.end() if closing else len(html)
    if name not in made.allowed:
        return tag.end()
    if name in players.TAGS:
        return _player(made, name, attributes, html, tag.end()) if not is_end else tag.end()
    if is_end:
        made.close(name)
        return tag.end()
    made.open(name, attributes)
    if is_alone and name.startswith("m"):  # MathML: there it means an empty element
        made.close(name)
    return tag.end()


def _player(made: Balanced, name: str, attributes: str, html: str, at: int) -> int:
    """Write a player whose tag ends at `at`; where it ends itself."""
    content, end = players.end_of(name, html, at)
    made.parts.append(made.player(name, attributes, content))
    return end


def _behind(html: str, mark: str, start: int) -> int:
    found = html.find(mark, start)
    return found + len(mark) if found >= 0 else len(html)
