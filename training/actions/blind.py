"""The blind desk: reviewers judge base against candidate without knowing which is which.

Which side stands first is drawn by a keyed hash of reviewer, prompt and change, so no page, order
or token tells it, and the same page comes back after a reload. Judgements are looked at only when
a multiple of the number asked for is there, each time at a smaller level: what is looked at after
every vote would sooner or later pass, and would tell each voter what the last vote did.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from hub.errors import BadInputError
from hub.extensions import Change, Requirement, RequirementState
from hub.models import BranchProtection, Repository
from hub.policies import maintainers_of
from training.actions.gate_rules import rule_at
from training.actions.standing import standing_of
from training.jobs.items import open_table
from training.jobs.questions import question_columns
from training.models import Benchmark, BlindChoice, BlindVote, Evaluation, GateRecord
from training.specs.gate import BlindRule, parse_gate
from training.statistics.looks import strict_alpha
from training.statistics.preference import (
    BASE,
    CANDIDATE,
    TIE,
    Vote,
    preference_verdict,
    win_rate,
)
from training.statistics.verdicts import Verdict

if TYPE_CHECKING:
    from django.db.models import QuerySet

# Why a verdict was reached without asking either side.
NOTHING_ASKED = ("no_model_change", "not_weighable", "rule_change")
SCORES = {BlindChoice.CANDIDATE: CANDIDATE, BlindChoice.TIE: TIE, BlindChoice.BASE: BASE}


class DeskState(StrEnum):
    WAITING = "waiting"  # the gate has not weighed exactly this change
    SAME = "same"  # no model file changed: both sides are one model
    MISSING = "missing"  # the answers were not written
    OPEN = "open"
    PASSED = "passed"
    FAILED = "failed"

    @property
    def is_decided(self) -> bool:
        return self in (DeskState.PASSED, DeskState.FAILED)


@dataclass(frozen=True)
class Outcome:
    """What the judgements say at their last look; `rate` is the candidate's share of wins.

    `lower` and `upper` are one-sided bounds, each at level 1 - `alpha`. `counted` judgements were
    looked at, on `prompts` prompts.
    """

    verdict: Verdict
    rate: float
    lower: float
    upper: float
    alpha: float
    counted: int
    prompts: int


@dataclass(frozen=True)
class Desk:
    """The blind review of exactly one change under the rule of its base."""

    repository: Repository
    change: Change
    rule: BlindRule
    record: GateRecord | None = None
    benchmark: Benchmark | None = None
    base: Evaluation | None = None
    candidate: Evaluation | None = None

    @cached_property
    def state(self) -> DeskState:
        if self.record is None:
            return DeskState.WAITING
        if self.record.sentence.get("reason") in NOTHING_ASKED:
            return DeskState.SAME
        if self.benchmark is None or self.base is None or self.candidate is None:
            return DeskState.MISSING
        states = {Verdict.PASS: DeskState.PASSED, Verdict.FAIL: DeskState.FAILED}
        found = self.outcome
        return states.get(found.verdict, DeskState.OPEN) if found else DeskState.OPEN

    @cached_property
    def votes(self) -> list[BlindVote]:
        """The judgements that count: of exactly this change, by those who may approve it now."""
        if self.benchmark is None:
            return []
        rows = votes_on(self).filter(reviewer__in=maintainers_of(self.repository))
        rows = rows.exclude(reviewer=self.change.author_id).select_related("reviewer")
        return list(rows.order_by("pk"))

    @cached_property
    def outcome(self) -> Outcome | None:
        """What the last complete look says; None before the first."""
        alpha = float(self.record.run.spec["gate"]["alpha"]) if self.record else 0.05
        return look_at(
            [Vote(vote.item_id, SCORES[BlindChoice(vote.choice)]) for vote in self.votes],
            self.rule,
            alpha,
        )

    @property
    def needed(self) -> int:
        """How many judgements complete the next look; of a decided review, the last one."""
        if self.state.is_decided and self.outcome is not None:
            return self.outcome.counted
        return self.rule.votes * (len(self.votes) // self.rule.votes + 1)

    @cached_property
    def prompts(self) -> tuple[str, ...]:
        """The items that are judged: `limit` of those both sides have answered.

        Which ones is drawn by the digest of the rule, so nobody can choose them.
        """
        if self.record is None or self.benchmark is None:
            return ()
        drawn = self.record.config_digest.encode()
        found = sorted(self.answers, key=lambda item: hmac.digest(drawn, item.encode(), "sha256"))
        return tuple(found[: self.rule.limit])

    @cached_property
    def answers(self) -> dict[str, tuple[str, str]]:
        """(base's, candidate's) text by item, of those that both have answered."""
        if self.base is None or self.candidate is None:
            return {}
        base, candidate = _outputs(self.base), _outputs(self.candidate)
        return {item: (base[item], candidate[item]) for item in base if item in candidate}

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each item's text."""
        if self.benchmark is None:
            return {}
        ids = question_columns(self.benchmark, ["id"])["id"]
        return {item: place for place, item in enumerate(ids)}


def votes_on(desk: Desk) -> QuerySet[BlindVote]:
    """Every judgement of exactly this change, counted or not."""
    return BlindVote.objects.filter(
        repository=desk.repository.pk,
        pull_request_number=desk.change.number,
        head_oid=desk.change.head_oid,
        base_oid=desk.change.base_oid,
        benchmark=desk.benchmark,
    )


def rule_of(repository: Repository, change: Change) -> BlindRule | None:
    """What the rule of the base asks of a blind review; None where it asks for none.

    A rule that cannot be read asks for none here: the gate's own line blocks then.
    """
    text = rule_at(repository, change.base_oid)
    if not text or b"blind" not in text:
        return None
    try:
        return parse_gate(text).blind
    except BadInputError:
        return None


def desk_of(repository: Repository, change: Change) -> Desk | None:
    """The blind review of `change`; None where its base asks for none."""
    rule = rule_of(repository, change)
    if rule is None:
        return None
    standing = standing_of(repository, change)
    record = standing.record if standing else None
    pinned = record.run.spec.get("blind") if record else None
    if record is None or pinned is None:
        return Desk(repository, change, rule, record)
    benchmark = (
        Benchmark.objects.filter(
            repository=pinned["repository_id"], digest=pinned["digest"], path=pinned["path"]
        )
        .select_related("items_repository__namespace", "repository__namespace")
        .first()
    )
    sides = {given["role"]: given["digest"] for given in record.run.spec["inputs"][:2]}
    rows = Evaluation.objects.verified().filter(
        repository=repository.pk,
        benchmark_digest=pinned["digest"],
        settings_digest=record.run.spec["settings_digest"],
        model_digest__in=list(sides.values()),
    )
    found = {row.model_digest: row for row in rows.select_related("repository")}
    base, candidate = (found.get(sides.get(role, "")) for role in ("base", "candidate"))
    return Desk(repository, change, rule, record, benchmark, base, candidate)


def look_at(votes: Sequence[Vote], rule: BlindRule, alpha: float) -> Outcome | None:
    """The verdict at the last complete look, of the judgements in the order they were made.

    Look k is made of the first k times `rule.votes` judgements, at the level 6 alpha / (pi k)²;
    the levels of all looks sum to `alpha`. None before the first look.
    """
    found = None
    for number in count(1):
        counted = votes[: number * rule.votes]
        if len(counted) < number * rule.votes:
            return found
        found = _outcome(counted, rule, strict_alpha(alpha, number))
        if found.verdict is not Verdict.INCONCLUSIVE:
            return found
    return found


def _outcome(votes: Sequence[Vote], rule: BlindRule, alpha: float) -> Outcome:
    prompts = len({vote.item_id for vote in votes})
    if prompts < 2:
        return Outcome(Verdict.INCONCLUSIVE, 0.5, 0.0, 1.0, alpha, len(votes), prompts)
    rate = win_rate(votes, alpha=alpha)
    return Outcome(
        verdict=preference_verdict(votes, margin=rule.margin, alpha=alpha),
        rate=rate.delta,
        lower=rate.lower,
        upper=rate.upper,
        alpha=alpha,
        counted=len(votes),
        prompts=prompts,
    )


def _outputs(evaluation: Evaluation) -> dict[str, str]:
    """What one model wrote, by item; only what is needed is read."""
    with open_table(evaluation.repository.blobs(), evaluation.items_sha256) as file:
        rows = file.read(["id", "output"]).to_pylist()
    return {row["id"]: row["output"] or "" for row in rows}


def candidate_is_first(desk: Desk, reviewer_id: int, item: str) -> bool:
    """Whether this reviewer sees the candidate's answer first: a coin that nobody else can toss."""
    facts = (reviewer_id, item, desk.change.head_oid, desk.change.base_oid)
    return bool(_keyed("blind.side", facts)[0] & 1)


def order_for(desk: Desk, reviewer_id: int) -> list[str]:
    """The prompts in the order in which this reviewer meets them."""
    place = (reviewer_id, desk.change.head_oid)
    return sorted(desk.prompts, key=lambda item: _keyed("blind.order", (*place, item)))


def _keyed(salt: str, facts: Iterable[object]) -> bytes:
    value = "\n".join(map(str, facts))
    return salted_hmac(salt, value, algorithm="sha256").digest()


# The checklist ----------------------------------------------------------------------------------


def blind_requirements(repository: Repository, change: Change) -> Iterable[Requirement]:
    """The blind review's line of the checklist, where the rule of the base asks for one."""
    protection = BranchProtection.objects.of_branch(repository, change.target_branch)
    if protection is not None and not protection.require_gate:
        return
    desk = desk_of(repository, change)
    if desk is not None:
        yield _line(desk)


def _line(desk: Desk) -> Requirement:
    label, url = _("Blind review"), f"{desk.change.path}/blind"
    if desk.change.merge_tree is None:
        told = _("It can be judged once it merges cleanly.")
        return Requirement("blind", label, RequirementState.UNMET, told, by_machine=True)
    if desk.state is DeskState.SAME:
        told = _("No model file changed: both sides answer alike.")
        return Requirement("blind", label, RequirementState.MET, told)
    if desk.state is DeskState.WAITING:
        told = _("The gate writes both sides' answers first.")
        return Requirement("blind", label, RequirementState.UNMET, told, by_machine=True)
    if desk.state is DeskState.MISSING:
        told = _("The answers of this version were not written: run the gate again.")
        see = (_("See"), f"{desk.change.path}/benchmarks")
        return Requirement("blind", label, RequirementState.FAILED, told, *see)
    if desk.state is DeskState.OPEN or desk.outcome is None:
        told = _("%(given)d of %(needed)d judgements") % {
            "given": len(desk.votes),
            "needed": desk.needed,
        }
        return Requirement("blind", label, RequirementState.UNMET, told, _("Judge"), url)
    passed = desk.state is DeskState.PASSED
    state = RequirementState.MET if passed else RequirementState.FAILED
    return Requirement("blind", label, state, sentence_of(desk.outcome), _("See"), url)


def sentence_of(outcome: Outcome) -> str:
    """What the judgements show, in one sentence."""
    facts = {
        "rate": f"{100 * outcome.rate:.0f}",
        "lower": f"{100 * outcome.lower:.0f}",
        "upper": f"{100 * outcome.upper:.0f}",
        "count": outcome.counted,
    }
    if outcome.verdict is Verdict.FAIL:
        told = _("The candidate wins %(rate)s %% of %(count)d judgements, at most %(upper)s %%.")
    elif outcome.verdict is Verdict.PASS:
        told = _("The candidate wins %(rate)s %% of %(count)d judgements, at least %(lower)s %%.")
    else:
        told = _(
            "The candidate wins %(rate)s %% of %(count)d judgements, but it may be %(lower)s %% as "
            "well as %(upper)s %%."
        )
    return told % facts
