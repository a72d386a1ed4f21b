"""Why a path is refused, in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from hub.errors import HubError, PathRefusedError

PATH_WORDS = {
    "too_long": _("The path %(path)s is longer than %(limit)s bytes."),
    "too_deep": _("The path %(path)s is nested deeper than %(limit)s folders."),
    "dots_first": _("The path %(path)s begins with '..'."),
    "empty_part": _("The path %(path)s has an empty, '.' or '..' part."),
    "hidden_sign": _(
        "The path %(path)s has a control, invisible or text-direction character, or is not UTF-8."
    ),
    "colon": _("The path %(path)s has a colon."),
    "part_too_long": _("The path %(path)s has a part longer than %(limit)s bytes."),
    "gits_own": _("The path %(path)s has a part that git keeps for itself."),
    "below_a_file": _("%(path)s would lie below a file; delete that file first."),
    "is_a_folder": _("%(path)s is a folder; delete it first."),
}


def sentence_of(error: HubError) -> str:
    """What a refusal says to whoever reads it now."""
    if isinstance(error, PathRefusedError):
        return str(PATH_WORDS[error.reason] % error.parameters)
    return str(error)
