"""Why a pull request left the merge queue, and what the first one waits for, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from reviews.actions.weights_said import merge_sentence

_REASONS = {
    "new_version": gettext_lazy("It has a new version since it was queued."),
    "no_access": gettext_lazy("%(name)s, who queued it, may no longer merge here."),
    "no_branch": gettext_lazy("There is no branch %(branch)s any more."),
    "weights_moved": gettext_lazy(
        "%(branch)s has moved the same weights meanwhile, and no way of merging them was chosen."
    ),
    "gate": gettext_lazy("The gate does not let it through: see Benchmarks."),
    "workers_died": gettext_lazy("Every worker that tried this died of it."),
    "closed": gettext_lazy("It was closed."),
    "left": gettext_lazy("It was taken out."),
    "refused": "%(said)s",
    "internal": gettext_lazy("Something went wrong here; the worker's log says more."),
}


def reason_sentence(reason: Mapping[str, Any]) -> str:
    """Why an entry is settled, in the reader's language; "" where it merged."""
    if not reason:
        return ""
    code, told = reason["code"], reason["parameters"]
    if code == "requirement":
        said = told["said"].get(get_language()) or next(iter(told["said"].values()))
        return ": ".join(filter(None, said))
    if code == "weights_not_merged":
        error = told["error"]
        return merge_sentence(error["code"], error.get("parameters") or {})
    return str(_REASONS[code] % told)


def waits_sentence(labels: list[str]) -> str:
    """What the first one of a queue waits for."""
    if not labels:
        return _("It is being merged.")
    return _("Waits for: %(what)s.") % {"what": ", ".join(labels)}
