"""The picture of a person or an organisation: a tile with a letter, made from the name alone."""

from __future__ import annotations

import hashlib

_TILE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="96" height="96">'
    '<rect width="24" height="24" fill="{colour}"/>'
    '<text x="12" y="16.7" text-anchor="middle" fill="#fff" '
    'font-family="Inter, system-ui, sans-serif" font-weight="620" font-size="13">{letter}</text>'
    "</svg>\n"
)


def hue(name: str) -> int:
    """A steady angle on the colour wheel for a name, in steps of 30 degrees."""
    return hashlib.sha256(name.encode()).digest()[0] % 12 * 30


def initial(name: str) -> str:
    """The first letter of a name, for its tile."""
    return next((letter for letter in name if letter.isalnum()), "?").upper()


def avatar_svg(name: str) -> str:
    """The tile of `name` as a file of its own: of the name, one letter or digit is in it."""
    return _TILE.format(colour=f"hsl({hue(name)}, 38%, 36%)", letter=initial(name))
