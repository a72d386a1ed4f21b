"""The merge checklist: everything that still blocks, at once, each with its one action."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hub.extensions import Change, Requirement, RequirementState, registries
from hub.models import BranchProtection
from hub.policies import maintainers_of
from reviews.actions.weight_merges import common_base
from reviews.changes import change_of, merge_tree
from reviews.models import Discussion, Review, ReviewVerdict, WeightMerge


@dataclass(frozen=True)
class Checklist:
    """All requirements of merging exactly `change`."""

    change: Change
    lines: list[Requirement]

    @property
    def blocking(self) -> list[Requirement]:
        return [line for line in self.lines if line.blocks]

    @property
    def is_met(self) -> bool:
        return not self.blocking

    @property
    def met_count(self) -> int:
        return len(self.lines) - len(self.blocking)


def checklist(pull_request: Discussion, change: Change | None = None) -> Checklist:
    """The checklist for the heads of this moment, or for the given change."""
    change = change or change_of(pull_request)
    lines = [_content(pull_request, change), *asked_of_people(pull_request, change)]
    for source in registries.requirements:
        lines.extend(source(pull_request.repository, change))
    return Checklist(change, lines)


def asked_of_people(pull_request: Discussion, change: Change) -> list[Requirement]:
    """What people have to do before a pull request merges: publish it, and review it."""
    lines = []
    if pull_request.is_draft:
        lines.append(
            Requirement(
                "draft",
                _("Ready for review"),
                RequirementState.UNMET,
                _("This is a draft."),
                _("Publish"),
                f"{change.path}/publish",
                action_is_post=True,
            )
        )
    protection = protection_of(pull_request)
    if protection and protection.required_approvals:
        lines.append(_approvals(pull_request, change, protection.required_approvals))
    return lines


def protection_of(pull_request: Discussion) -> BranchProtection | None:
    return BranchProtection.objects.of_branch(
        pull_request.repository_id, pull_request.target_branch
    )


def _content(pull_request: Discussion, change: Change) -> Requirement:
    """There is something to merge, and it merges cleanly."""
    label = _("Clean merge")
    tree, conflicts = merge_tree(pull_request, change.base_oid, change.head_oid)
    if tree is None:
        detail = _("The two branches share no commit: start again from the target branch.")
        if conflicts:
            facts = {
                "paths": ", ".join(conflicts[:5]),
                "branch": pull_request.target_branch,
                "ref": pull_request.ref,
            }
            told = _("Both sides changed %(paths)s. Merge %(branch)s with git and push to %(ref)s.")
            detail = told % facts
            if common_base(pull_request.repository, change) is not None:
                see = (_("Merge the weights"), f"{change.path}/weights")
                return Requirement("conflicts", label, RequirementState.FAILED, detail, *see)
        return Requirement("conflicts", label, RequirementState.FAILED, detail)
    if pull_request.repository.store().is_ancestor(change.head_oid, change.base_oid):
        detail = _("Nothing to merge yet: commit to %(ref)s.") % {"ref": pull_request.ref}
        return Requirement("conflicts", label, RequirementState.UNMET, detail)
    return Requirement("conflicts", label, RequirementState.MET, _("No conflict with the target."))


def reviewed_heads(pull_request: Discussion, head_oid: str) -> list[str]:
    """The heads whose reviews count for `head_oid`: it, and what the merge queue made it from.

    The queue merges weights by the recipe that a person with write access chose when they put the
    approved version there, not the author. A weight merge that anybody started themselves inherits
    nothing.
    """
    made = WeightMerge.objects.filter(pull_request=pull_request, queue_entry__isnull=False)
    made = made.exclude(queue_entry__by=pull_request.author_id)
    made_from = dict(made.exclude(result_oid="").values_list("result_oid", "theirs_oid"))
    heads = [head_oid]
    while (earlier := made_from.get(heads[-1])) is not None:
        heads.append(earlier)
    return heads


def counted_reviews(pull_request: Discussion, head_oid: str) -> list[Review]:
    """Reviews that count now: on this head, by maintainers of this moment, not the author's.

    Of somebody who has looked at several of its `reviewed_heads` the review of the latest counts.
    """
    heads = reviewed_heads(pull_request, head_oid)
    rows = Review.objects.filter(
        pull_request=pull_request,
        head_oid__in=heads,
        reviewer__in=maintainers_of(pull_request.repository),
    )
    rows = rows.exclude(reviewer=pull_request.author_id).select_related("reviewer")
    latest: dict[int, Review] = {}
    for row in sorted(rows, key=lambda row: heads.index(row.head_oid)):
        latest.setdefault(row.reviewer_id, row)
    return list(latest.values())


def _approvals(pull_request: Discussion, change: Change, needed: int) -> Requirement:
    label = _("Review")
    reviews = counted_reviews(pull_request, change.head_oid)
    against = [r for r in reviews if r.verdict == ReviewVerdict.REQUEST_CHANGES]
    action = (_("Review"), f"{change.path}#review")
    if against:
        told = _("%(name)s requests changes.") % {"name": against[0].reviewer.username}
        return Requirement("approvals", label, RequirementState.FAILED, told, *action)
    given = sum(r.verdict == ReviewVerdict.APPROVE for r in reviews)
    detail = ngettext(
        "%(given)d of %(count)d approval of this version",
        "%(given)d of %(count)d approvals of this version",
        needed,
    ) % {"given": given, "count": needed}
    if given >= needed:
        return Requirement("approvals", label, RequirementState.MET, detail)
    earlier = Review.objects.filter(
        pull_request=pull_request, verdict=ReviewVerdict.APPROVE
    ).exclude(head_oid=change.head_oid)
    if earlier.exists():
        told = _("Approved before the last push: look at the new version.")
        return Requirement("approvals", label, RequirementState.STALE, told, *action)
    return Requirement("approvals", label, RequirementState.UNMET, detail, *action)
