"""Marks that change the order in which text is shown: code must not read otherwise than it runs.

Overrides and isolates (U+202A-U+202E, U+2066-U+2069; CVE-2021-42574) are shown as their names, so
that they change nothing. Right-to-left letters need none of them and are shown as they are.
"""

from __future__ import annotations

import re

from hub.rendering.safe import SanitisedHtml

MARK_CLASS = "direction-mark"
_MARKS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def has_marks(text: str) -> bool:
    return _MARKS.search(text) is not None


def in_order(text: str) -> str:
    """The text with every mark as its name."""
    return _MARKS.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def marked(html: str) -> SanitisedHtml:
    """Escaped text with every mark as a label that holds its name."""
    return SanitisedHtml(
        _MARKS.sub(lambda found: f'<span class="{MARK_CLASS}">U+{ord(found[0]):04X}</span>', html)
    )
