"""What a licence lets people do, in one sentence each, by families: no legal advice."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

_PERMISSIVE = _("Use, change and share it, also commercially; keep the notice.")
_COPYLEFT = _("Use and change it; what you share of it stays under the same licence.")
_SHARE_ALIKE = _("Use and change it with credit; what you share stays under the same licence.")
_CREDIT = _("Use, change and share it, also commercially; give credit.")
_NO_PROFIT = _("Not for commercial use; give credit.")
_UNCHANGED = _("Share it unchanged, with credit.")
_FREE = _("No conditions: it is given to the public.")
_RESPONSIBLE = _("Use and share it, but not for the uses that it forbids.")
_OWN = _("A licence of its maker's own, with conditions on who may use it and how: read it.")
_OTHER = _("A licence that is not on the usual list: read it before you use this.")
_UNKNOWN = _("Nobody says what may be done with it: ask before you use it.")

# The first that an identifier begins with decides.
_FAMILIES: tuple[tuple[tuple[str, ...], Any], ...] = (
    (("cc0", "unlicense", "wtfpl", "pddl"), _FREE),
    (("cc-by-nc", "cc-by-nd", "fair-noncommercial"), _NO_PROFIT),
    (("cc-by-sa", "odbl", "cdla-sharing", "gfdl"), _SHARE_ALIKE),
    (("cc-by", "odc-by", "cdla-permissive", "etalab"), _CREDIT),
    (("gpl", "agpl", "lgpl", "mpl", "epl", "eupl", "osl"), _COPYLEFT),
    (("openrail", "bigscience", "bigcode", "creativeml"), _RESPONSIBLE),
    (("llama", "gemma", "apple-amlr", "deepfloyd", "grok", "h-research", "intel"), _OWN),
    (
        (
            "mit", "apache", "bsd", "isc", "zlib", "afl", "artistic", "bsl", "ecl", "ms-pl",
            "ncsa", "postgresql", "mulanpsl", "ofl", "openmdw", "apple-ascl", "c-uda", "lppl",
        ),
        _PERMISSIVE,
    ),
)  # fmt: skip


def licence_words(identifier: str) -> Any:
    """What the licence `identifier` means for whoever uses the thing."""
    name = identifier.lower()
    if name.startswith("cc-by-nd"):
        return _UNCHANGED
    for beginnings, words in _FAMILIES:
        if name.startswith(beginnings):
            return words
    return _UNKNOWN if name in ("", "unknown") else _OTHER
