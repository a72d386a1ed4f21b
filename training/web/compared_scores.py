"""The scores of two revisions side by side, on the page that compares all of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext_lazy as _

from hub.extensions import ComparedSide, ComparisonPanel
from hub.models import Kind
from hub.policies import Actor
from training.actions.comparing import LETTERS, Side, shared_scores
from training.actions.history import digests_of
from training.web.compare_shown import shown_comparison


def context(actor: Actor, base: ComparedSide, candidate: ComparedSide) -> dict[str, Any]:
    """Every benchmark that one of two models was measured on, and where items are compared."""
    if {base.repository.kind, candidate.repository.kind} != {Kind.MODEL}:
        return {}
    sides = [
        Side(letter, side.repository, side.revision, side.oid, _digest(side))
        for letter, side in zip(LETTERS, (base, candidate), strict=False)
    ]
    shown = shown_comparison(shared_scores(actor, sides))
    named = [(side.letter, side.text) for side in sides]
    rows = [
        {
            **row,
            "url": f"/-/compare?{urlencode([*named, ('benchmark', row['benchmark'].reference)])}",
        }
        for row in shown["shared"]
    ]
    return {"rows": rows, "sides": sides, "url": f"/-/compare?{urlencode(named)}"}


def _digest(side: ComparedSide) -> str:
    return digests_of(side.repository, [side.oid])[side.oid]


SCORES_PANEL = ComparisonPanel("training/compared_scores.html", context, "scores", _("Scores"))
