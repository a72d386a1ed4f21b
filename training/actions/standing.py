"""How the gate stands on exactly one change: what the checklist and the banner say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from hub.extensions import Change, Requirement, RequirementState
from hub.models import BranchProtection, Kind, Repository
from training.actions.gate_rules import (
    DELETED,
    UNREADABLE,
    paths_of,
    rule_at,
    rule_change,
    touches_rule,
)
from training.actions.gates import rule_digest
from training.jobs.sentences import detail_of, look_of, rule_told, sentence_of
from training.models import GateRecord, GateVerdict, Run, RunKind, RunStatus
from training.specs.gate import GATE_PATH


@dataclass(frozen=True)
class Standing:
    """Records and runs of one pull request, seen from its heads of now.

    `record` is the verdict on exactly these; `earlier` the newest verdict on anything else;
    `run` the newest run on exactly these.
    """

    change: Change
    record: GateRecord | None
    earlier: GateRecord | None
    run: Run | None

    @property
    def is_live(self) -> bool:
        return self.run is not None and self.run.is_live

    @property
    def shown(self) -> GateRecord | None:
        """The verdict to show: on these heads, else the newest earlier one."""
        return self.record or self.earlier

    @property
    def is_stale(self) -> bool:
        return self.record is None and self.earlier is not None


def records_of(repository: Repository, number: int) -> QuerySet[GateRecord]:
    """The records of a pull request, the newest first, with the few facts of their specs that
    pages show: `author_id` and `gate_facts` (level, attempt, strict, what data were declared)."""
    rows = GateRecord.objects.of(repository.pk, number).select_related("run", "overridden_by")
    return rows.defer("run__spec").annotate(
        author_id=F("run__spec__change__author_id"), gate_facts=F("run__spec__gate")
    )


def standing_of(repository: Repository, change: Change) -> Standing | None:
    """How the gate stands; None where the target branch has no rule. Looked up once a change."""
    if "standing" not in change.memo:
        change.memo["standing"] = _look_up(repository, change)
    found: Standing | None = change.memo["standing"]
    return found


def _look_up(repository: Repository, change: Change) -> Standing | None:
    rule = rule_at(repository, change.base_oid)
    if rule is None:
        return None
    digest = rule_digest(rule)
    # Of the verdicts on anything else only the newest is shown: the large ones stay unread.
    rows = records_of(repository, change.number)
    exact = rows.filter(
        head_oid=change.head_oid,
        base_oid=change.base_oid,
        merge_tree=change.merge_tree or "",
        config_digest=digest,
    )
    record = exact.first()
    earlier = None if record is not None else rows.first()
    runs = Run.objects.filter(
        repository=repository,
        pull_request_number=change.number,
        kind=RunKind.COMPARE,
        spec__change__head_oid=change.head_oid,
        spec__change__base_oid=change.base_oid,
    )
    run = runs.defer("spec").order_by("-number").first()
    for held in [run, *(each.run for each in (record, earlier) if each is not None)]:
        if held is not None:
            held.repository = repository
    return Standing(change, record, earlier, run)


def requirements(repository: Repository, change: Change) -> Iterable[Requirement]:
    """The gate's lines of the checklist, where the target branch has a rule and wants it met."""
    standing = standing_of(repository, change)
    if touches_rule(paths_of(repository, change)):
        yield _rule_line(repository, change, standing)
    protection = BranchProtection.objects.of_branch(repository, change.target_branch)
    if protection is not None and not protection.require_gate:
        return
    if standing is not None:
        yield requirement_of(standing)
    elif protection is not None and repository.kind == Kind.MODEL:
        yield from _without_rule(repository, change)


def _without_rule(repository: Repository, change: Change) -> Iterable[Requirement]:
    """A branch that wants its gate met and says not how: only a first rule may come in."""
    if paths_of(repository, change) == [GATE_PATH]:
        return
    told = _("%(branch)s must meet its gate and has no rule: write one first.") % {
        "branch": change.target_branch
    }
    address = f"{repository.get_absolute_url()}/settings/gate?branch={quote(change.target_branch)}"
    see = {"action_label": _("Write the rule"), "action_path": address}
    yield _line(RequirementState.FAILED, told, **see)


def _rule_line(repository: Repository, change: Change, standing: Standing | None) -> Requirement:
    """What becomes of the rule, in words. It comes alone, for it would judge itself else (threat
    M3); one that is deleted or cannot be read merges only when the gate's verdict is overridden."""
    key, label = "gate-rule", _("Gate rule")
    if len(paths_of(repository, change)) > 1:
        told = _("%(path)s changes together with other files: propose the new rule alone.")
        return Requirement(key, label, RequirementState.FAILED, told % {"path": GATE_PATH})
    found = rule_change(repository, change) or {}
    told = rule_told(found)
    if found.get("kind") not in (DELETED, UNREADABLE):
        return Requirement(key, label, RequirementState.MET, told)
    record = standing.record if standing else None
    if record is not None and record.is_overridden:
        return Requirement(key, label, RequirementState.MET, f"{told} {override_of(record)}")
    return Requirement(key, label, RequirementState.FAILED, told)


def requirement_of(standing: Standing) -> Requirement:
    change, run, record = standing.change, standing.run, standing.record
    if change.merge_tree is None:
        told = _("It can be weighed once it merges cleanly.")
        return _line(RequirementState.UNMET, told, by_machine=True)
    if run is not None and run.is_live:
        see = {"action_label": _("See the run"), "action_path": run.get_absolute_url()}
        return _line(RequirementState.RUNNING, progress_of(run), **see)
    if record is not None:
        state = RequirementState.MET if record.allows_merge else RequirementState.FAILED
        told = sentence_of(record.verdict, record.results, record.sentence)
        if record.is_overridden:
            told += " " + override_of(record)
        see = {"action_label": _("See"), "action_path": f"{change.path}/benchmarks"}
        return _line(state, told, tells_scores=True, **see)
    if run is not None and run.status == RunStatus.FAILED:
        told = _("The gate could not run: %(error)s") % {"error": run.error}
        return _line(RequirementState.FAILED, told, **_start(change, _("Run again")))
    if standing.earlier is not None:
        told = _("The verdict is on an earlier version, or on an earlier base.")
        return _line(RequirementState.STALE, told, **_start(change, _("Run again")))
    told = _("Not run. A maintainer starts it for exactly this version.")
    return _line(RequirementState.UNMET, told, **_start(change, _("Start the gate")))


def override_of(record: GateRecord) -> str:
    """Who let an inconclusive change through, and why."""
    name = record.overridden_by.username if record.overridden_by else "ghost"
    told = {"name": name, "reason": record.override_reason}
    return _("Let through by %(name)s: %(reason)s") % told


def _line(state: RequirementState, detail: str, **action: Any) -> Requirement:
    return Requirement("gate", _("Benchmarks"), state, detail, **action)


def _start(change: Change, label: str) -> dict[str, Any]:
    return {
        "action_label": label,
        "action_path": f"{change.path}/gate?head={change.head_oid}",
        "action_is_post": True,
        "by_machine": True,
    }


def progress_of(run: Run) -> str:
    """How far the gate is, for the checklist."""
    if run.status == RunStatus.QUEUED:
        return _("Waiting for a worker.")
    done, total = run.progress.get("done"), run.progress.get("total")
    if not total:
        return _("Preparing.")
    return _("%(done)d of %(total)d items.") % {"done": done, "total": total}


def verdict(repository: Repository, change: Change) -> dict[str, Any] | None:
    """The banner: one sentence, a state, a detail; None where the branch has no rule."""
    standing = standing_of(repository, change)
    if standing is None:
        return None
    if standing.is_live and standing.run is not None:
        told = _("The gate is weighing this change.")
        return {"sentence": told, "state": "running", "detail": progress_of(standing.run)}
    if standing.record is not None:
        return _banner(standing.record, standing.record.verdict)
    if standing.earlier is not None:
        return _banner(standing.earlier, "stale", is_mergeable=change.merge_tree is not None)
    told = _("This change has not been weighed yet.")
    return {"sentence": told, "state": "not-run", "detail": ""}


def how_of(record: GateRecord) -> str:
    """How the verdict was reached: items, level, look."""
    facts = getattr(record, "gate_facts", None) or {}
    parts = (detail_of(record.results, facts.get("alpha")), look_of(record.looks))
    return ", ".join(filter(None, parts))


def _banner(record: GateRecord, state: str, *, is_mergeable: bool = True) -> dict[str, Any]:
    told = sentence_of(record.verdict, record.results, record.sentence)
    details = [how_of(record)]
    if record.attempt > 1:
        details.append(_("weighed %(count)d times") % {"count": record.attempt})
    if state == "stale":
        details.append(
            _("on an earlier version or base: run the gate again")
            if is_mergeable
            else _(
                "on an earlier version or base: it must merge cleanly before it is weighed again"
            )
        )
    in_the_sentence = record.sentence.get("reason") in ("not_weighable", "partly_weighed")
    if record.sentence.get("unweighed") and not in_the_sentence:
        paths = ", ".join(record.sentence["unweighed"][:3])
        details.append(_("not weighed: %(paths)s") % {"paths": paths})
    label = _("Gate: %(verdict)s") % {"verdict": record.get_verdict_display()}
    if record.sentence.get("reason") == "rule_change" and record.verdict == GateVerdict.PASS:
        label, state = _("Gate: the rule changes"), "wait" if state == "pass" else state
    if record.is_overridden and state != "stale":
        details.append(override_of(record))
        label, state = _("Gate: let through"), "overridden"
    return {
        "sentence": told,
        "state": str(state),
        "detail": " · ".join(filter(None, details)),
        "label": label,
    }
