"""What the weights of two sides of a comparison are told by: a link to all their numbers."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext_lazy as _

from hub.extensions import ComparedSide, ComparisonPanel
from hub.models import Kind
from hub.policies import Actor
from reviews.actions.weights import side_at


def context(actor: Actor, base: ComparedSide, candidate: ComparedSide) -> dict[str, Any]:
    """{} where neither has weights, or one is no model."""
    if {base.repository.kind, candidate.repository.kind} != {Kind.MODEL}:
        return {}
    sides = [side_at(each.repository, each.oid) for each in (base, candidate)]
    if not any(side.has_weights for side in sides):
        return {}
    is_other = base.repository.pk != candidate.repository.pk
    named = (
        f"{candidate.repository.repo_id}@{candidate.revision}" if is_other else candidate.revision
    )
    address = f"{base.repository.get_absolute_url()}/weights"
    query = f"base={quote(base.revision, safe='')}&candidate={quote(named, safe='')}"
    return {"is_same": sides[0].digest == sides[1].digest, "url": f"{address}?{query}"}


PANEL = ComparisonPanel("reviews/weights_compared.html", context, "weights", _("Weights"))
