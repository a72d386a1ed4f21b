"""LaTeX formulas as MathML, which browsers draw by themselves: no script, no fonts of ours.

What comes out goes through the sanitiser like everything else; TAGS and ATTRIBUTES are what it may
let through. They hold neither links nor styles, and none of the elements by which a parser leaves
MathML for HTML and comes back (annotation-xml, mglyph, malignmark).
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from xml.etree import ElementTree  # writes what the library made; nothing is parsed

from latex2mathml.converter import convert_to_element

_TAG_NAMES = """
    math mrow mi mn mo ms mtext msup msub msubsup mfrac msqrt mroot mtable mtr mtd munder mover
    munderover mspace mstyle mpadded mphantom menclose
"""
_ATTRIBUTE_NAMES = """
    accent accentunder columnalign columnlines columnspacing depth display displaystyle fence
    form height largeop linethickness lspace mathvariant maxsize minsize movablelimits notation
    rowlines rowspacing rspace scriptlevel separator stretchy symmetric voffset width
"""
TAGS = frozenset(_TAG_NAMES.split())
ATTRIBUTES = frozenset(_ATTRIBUTE_NAMES.split())
FORMULA_LIMIT_CHARACTERS = 2_000
# What a document may hold of formulas before the rest is shown as it is written.
DOCUMENT_LIMIT_CHARACTERS = 12_000
# What each formula costs beside its characters.
FORMULA_CHARACTERS = 10
NESTING_LIMIT = 40
# Lengths of a few em and single words: nothing that covers a page.
_VALUE = re.compile(r"-?\d{0,2}(?:\.\d{1,4})?(?:em|ex|px|pt|mu|%)?|[a-z][a-z -]{0,31}")
# What the library does not know, as what it draws in the same way.
_ENVIRONMENTS = {
    **dict.fromkeys(("aligned", "alignedat", "alignat", "alignat*"), "align*"),
    **dict.fromkeys(("gathered", "gather", "gather*", "multline", "multline*"), "matrix"),
    "dcases": "cases",
}
_NAMES = "|".join(map(re.escape, _ENVIRONMENTS))
# With where it stands on the line, and how many pairs of columns there are to be.
_ENVIRONMENT = re.compile(
    rf"\\(begin|end)\{{({_NAMES})\}}(?:(?<=at\}}|t\*\}})\{{\d{{1,2}}\}}|\[[tbc]\])?"
)
_HEAD = ' xmlns="http://www.w3.org/1998/Math/MathML"'


class Formulas:
    """The formulas of one document, as long as there is room for them."""

    def __init__(self) -> None:
        self.room = DOCUMENT_LIMIT_CHARACTERS

    def html(self, source: str, *, is_block: bool) -> str:
        """MathML, or the source as code where it cannot be read or there is too much."""
        made = self.made(source, is_block=is_block)
        return made or (f"<pre>{escape(source)}</pre>" if is_block else _code(source))

    def made(self, source: str, *, is_block: bool) -> str:
        """MathML; "" where it cannot be read or there is too much."""
        self.room -= len(source) + FORMULA_CHARACTERS
        return formula_html(source.strip(), is_block) if self.room >= 0 else ""


@lru_cache(maxsize=2_000)
def formula_html(source: str, is_block: bool) -> str:
    """A formula as MathML; "" where it cannot be read. It is not sanitised yet."""
    if len(source) > FORMULA_LIMIT_CHARACTERS or _nesting(source) > NESTING_LIMIT:
        return ""
    source = _ENVIRONMENT.sub(lambda found: f"\\{found[1]}{{{_ENVIRONMENTS[found[2]]}}}", source)
    try:
        made = convert_to_element(source, display="block" if is_block else "inline")
    except (Exception, RecursionError):  # the library raises whatever it meets
        return ""
    for part in made.iter():  # signs stand there as references
        part.text = unescape(part.text) if part.text else part.text
    return ElementTree.tostring(made, encoding="unicode").replace(_HEAD, "", 1)


def formula_attribute(name: str, value: str) -> str | None:
    """The value an attribute of MathML may keep, or None to drop it."""
    return value if _VALUE.fullmatch(value) else None


def _nesting(source: str) -> int:
    depth = most = 0
    for mark in re.findall(r"[{}]|\\(?:begin|end|left|right)\b", source):
        depth += 1 if mark in ("{", r"\begin", r"\left") else -1
        most = max(most, depth)
    return most


def _code(source: str) -> str:
    return f"<code>{escape(source)}</code>"
