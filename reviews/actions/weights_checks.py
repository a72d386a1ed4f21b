"""The line of the merge checklist on what is inside the weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hub.extensions import Change, Requirement, RequirementState
from hub.models import Repository
from reviews.actions.full_weights import has_patch, last_writing
from reviews.actions.weights import request_comparison, sides_of
from reviews.models import WeightsComparison


def weights_requirement(repository: Repository, change: Change) -> Iterable[Requirement]:
    """Weights that changed have been read whole, and nothing is wrong that was not before."""
    sides = sides_of(repository, change)
    if sides is None:
        return
    # A target that moved makes another pair, of which no push has told.
    row = request_comparison(*sides)
    label, see = _("Weights"), (_("See"), f"{change.path}/weights")
    wrong = [each for each in row.problems or [] if each["blocks"]]
    if row.problems is None and not row.error:
        told = _("Being read.")
        yield Requirement("weights", label, RequirementState.RUNNING, told, *see)
    elif row.error:
        told = _("They cannot be read.")
        yield Requirement("weights", label, RequirementState.FAILED, told, *see)
    elif wrong:
        named = [each["tensor"] or _named(each["parameters"]) for each in wrong]
        told = ngettext(
            "%(count)d problem: %(names)s.", "%(count)d problems: %(names)s.", len(wrong)
        ) % {"count": len(wrong), "names": ", ".join(dict.fromkeys(named[:3]))}
        yield Requirement("weights", label, RequirementState.FAILED, told, *see)
    else:
        told = _counted(row) % {key: row.summary[key] for key in ("touched", "tensors")}
        yield Requirement("weights", label, RequirementState.MET, told, *see)


def patch_requirement(repository: Repository, change: Change) -> Iterable[Requirement]:
    """No sparse patch gets onto a branch: loaders do not read it."""
    sides = sides_of(repository, change)
    if sides is None or not has_patch(sides[1]):
        return
    row = last_writing(repository, change.number)
    if row is not None and not row.is_settled:
        told = _("Being written in place of the sparse patch.")
        state, see = RequirementState.RUNNING, (_("See"), f"{change.path}/weights#full-weights")
        yield Requirement("full-weights", _("Full weights"), state, told, *see)
        return
    told = _("No loader reads a sparse patch.")
    yield Requirement(
        "full-weights",
        _("Full weights"),
        RequirementState.UNMET,
        told,
        _("Write full weights"),
        f"{change.path}/weights/write-full",
        action_is_post=True,
    )


def _named(parameters: Mapping[str, Any]) -> str:
    """What a problem of no whole tensor is about."""
    return str(parameters.get("tensor") or parameters.get("file") or "config.json")


def _counted(row: WeightsComparison) -> str:
    """What may be said of weights that nothing keeps from being merged."""
    if {"nan", "inf"} & {fact["code"] for fact in row.summary["facts"]}:
        return _("%(touched)d of %(tensors)d tensors changed; what is not finite was so before.")
    if row.problems:
        return _("%(touched)d of %(tensors)d tensors changed; not everything could be read.")
    return _("%(touched)d of %(tensors)d tensors changed; no NaN, nothing infinite.")
