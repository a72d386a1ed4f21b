"""A run that finds which commit of a branch made a model worse, by binary search.

Scores that are there already narrow the search before anything runs, and each new one is stored
as soon as it is made: a search that is killed and taken up again, or asked for a second time, goes
on from where the evaluations stand. See `jobs.narrowing` for the rule and its error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.extensions import registries
from training.jobs.benchmarks import benchmarks_of
from training.jobs.culprits import settle
from training.jobs.disclosure import hidden_among
from training.jobs.errors import RunFailedError
from training.jobs.evaluations import Side, find, items_of
from training.jobs.hiding import hide_as_asked
from training.jobs.items import ItemsError, scores_of
from training.jobs.lease import Lease
from training.jobs.narrowing import Judged, is_shown, judge, narrowed, next_place
from training.jobs.preparing import asked_in_full
from training.jobs.recorder import Recorder
from training.jobs.scoring import Scoring
from training.jobs.workspace import Workspace
from training.models import Evaluation, Run
from training.statistics.comparison import Comparison, Rule, compare
from training.statistics.pairing import ItemScore
from training.statistics.verdicts import Verdict

REGRESSED, NOT_SHOWN = "regressed", "not_shown"
# So many versions that cannot be measured are stepped over; then the search gives up.
LEFT_OUT_LIMIT = 3


@dataclass(frozen=True)
class Measured:
    """The scores of one version, and whether this run made them."""

    evaluation: Evaluation
    scores: list[ItemScore]
    is_new: bool


def carry_out(lease: Lease, workspace: Workspace, recorder: Recorder) -> None:
    """Search, then say what was found where people look for it.

    Raises: RunFailedError when an end, or too many versions between them, cannot be measured.
    """
    search = Search(lease, workspace, recorder)
    result = search.result()
    lease.check()
    settle(lease.run, result)


class Search:
    """The versions of a spec, what is known of them, and what has to be measured."""

    def __init__(self, lease: Lease, workspace: Workspace, recorder: Recorder) -> None:
        self.lease, self.workspace, self.recorder = lease, workspace, recorder
        self.run: Run = lease.run
        self.versions: list[dict[str, Any]] = self.run.spec["versions_between"]
        self.last = len(self.versions) - 1
        (pinned,) = benchmarks_of(self.run.spec)
        self.asked = asked_in_full(pinned)
        measured = pinned.measured
        # Only whether it is worse counts here, whatever margin a gate allows.
        self.rule = Rule(
            margin=1.0,
            alpha=self.run.spec["alpha"],
            direction=measured.direction,
            target=measured.target,
            metric=pinned.metric,
        )
        self.sides = [self._side(version) for version in self.versions]
        self.known: dict[int, Measured] = {}
        self.judged: dict[int, Judged | None] = {}
        # Places that could not be measured, with the reason; an earlier attempt may have met some.
        self.left_out: dict[int, str] = {
            int(place): reason for place, reason in self.run.progress.get("left_out", {}).items()
        }
        # Where items are hidden, nobody reads numbers off the run, its commit or pull request.
        hide_as_asked(self.run)
        self.is_hidden = bool(hidden_among([self.asked.row.pk], within=self.run.repository_id))

    def _side(self, version: dict[str, Any]) -> Side:
        (given,) = self.run.inputs(version["role"])
        return Side(version["role"], given["digest"], given["commit"])

    def result(self) -> dict[str, Any]:
        """What the search came to, for the run's row.

        Raises: RunFailedError, and what stops a run.
        """
        self._take_known()
        self._measure([place for place in (0, self.last) if place not in self.known])
        ends = compare(self.known[0].scores, self.known[self.last].scores, self.rule)
        if not is_shown(ends):
            return self._result(ends, None)
        while True:
            low, high = self._narrowed()
            place = next_place(low, high, self.left_out)
            self._tell(low, high, place)
            if place is None:
                return self._result(ends, (low, high))
            self._try(place)

    def _take_known(self) -> None:
        """The versions whose scores are stored: equal models have equal digests."""
        digest = self.run.spec["settings_digest"]
        for place, side in enumerate(self.sides):
            row = find(self.run.repository, side.digest, self.asked.row, digest)
            if row is not None and row.item_count == len(self.asked.issued):
                scores = scores_of(items_of(row), self.rule.metric)
                self.known[place] = Measured(row, scores, row.run_id == self.run.pk)

    def _measure(self, places: Sequence[int]) -> None:
        """Score these versions and keep what comes of it. Raises: RunFailedError."""
        if not places:
            return
        sides = [self.sides[place] for place in places]
        scoring = Scoring(
            self.lease, self.workspace, self.recorder, sides=sides, asked=[self.asked]
        )
        try:
            scored = scoring.run()
        except ItemsError as error:
            raise RunFailedError(f"The item results cannot be used: {error}") from error
        self.lease.check()
        for side in sides:
            pair = (side.name, self.asked.key)
            scores = scores_of(scored.items[pair].values(), self.rule.metric)
            made = Measured(scored.evaluations[pair], scores, is_new=True)
            # Equal files further on are known by the same scores.
            for other, theirs in enumerate(self.sides):
                if theirs.digest == side.digest:
                    self.known[other] = made

    def _try(self, place: int) -> None:
        """Measure a version between the ends, or leave it out and say why.

        Raises: RunFailedError when there are too many such.
        """
        try:
            self._measure([place])
        except RunFailedError as error:
            self._leave_out(place, str(error))
            if len(self.left_out) > LEFT_OUT_LIMIT:
                raise

    def _leave_out(self, place: int, reason: str) -> None:
        oid = self.versions[place]["oid"][:7]
        self.recorder.line(f"{oid} cannot be measured and is left out: {reason}")
        self.left_out[place] = reason[:300]
        self.recorder.tell(left_out={str(each): why for each, why in self.left_out.items()})
        self.recorder.flush()

    def _narrowed(self) -> tuple[int, int]:
        """Between which places it broke, by all that is known.

        What lies before the last version known to be fine is not looked at.
        """
        broken = {0: False, self.last: True}
        for place in sorted(self.known.keys() - broken.keys(), reverse=True):
            judged = self._judge(place)
            if judged is None:
                continue
            broken[place] = judged.is_broken
            if not judged.is_broken:
                break
        return narrowed(broken)

    def _judge(self, place: int) -> Judged | None:
        if place not in self.judged:
            ends = self.known[0].scores, self.known[self.last].scores
            here = self.known[place].scores
            self.judged[place] = judge(place, ends[0], here, ends[1], self.rule)
            if self.judged[place] is None:
                self._leave_out(place, "Its items cannot be compared with those of the ends.")
        return self.judged[place]

    # What is told ----------------------------------------------------------------------------

    def _tell(self, low: int, high: int, place: int | None) -> None:
        """How far the search is, for the page of the run."""
        self.recorder.tell(
            search={
                "low": low,
                "high": high,
                "next": place,
                "unit": self.asked.pinned.measured.unit,
                "steps": self._steps(),
            }
        )
        self.recorder.flush()

    def _steps(self) -> list[dict[str, Any]]:
        """Every version that is known and was looked at, the oldest first."""
        places = {0, self.last} | {place for place, judged in self.judged.items() if judged}
        return [self._step(place) for place in sorted(places & self.known.keys())]

    def _step(self, place: int) -> dict[str, Any]:
        measured, judged = self.known[place], self.judged.get(place)
        value = measured.evaluation.score_of(self.rule.metric)
        step: dict[str, Any] = {
            "place": place,
            "oid": self.versions[place]["oid"],
            "subject": self.versions[place]["subject"],
            "score": value.get("value"),
            "lower": value.get("lower"),
            "upper": value.get("upper"),
            "evaluation": measured.evaluation.pk,
            "new": measured.is_new,
            "broken": place == self.last,
            "clear": True,
        }
        if judged is not None:
            step |= {"broken": judged.is_broken, "clear": judged.is_clear}
        return step | ({"score": None, "lower": None, "upper": None} if self.is_hidden else {})

    def _result(self, ends: Comparison, found: tuple[int, int] | None) -> dict[str, Any]:
        """`found`: the last fine version and the first broken one; None where nothing is shown."""
        steps = self._steps()
        pinned = self.asked.pinned
        new = {s["evaluation"] for s in steps if s["new"]}
        result = {
            "found": found is not None,
            "benchmark": self.asked.row.pk,
            "label": pinned.label,
            "metric": self.rule.metric,
            "metric_label": pinned.measured.label,
            "unit": pinned.measured.unit,
            "steps": steps,
            "new": len(new),
            "versions": len(self.versions),
            "left_out": {self.versions[p]["oid"]: why for p, why in self.left_out.items()},
            "hidden": self.is_hidden,
            "ends": self._ends(ends, is_found=found is not None),
        }
        return result if found is None else result | self._culprit(*found)

    def _ends(self, ends: Comparison, *, is_found: bool) -> dict[str, Any]:
        """How the bad end stands to the good one; the reason is why they cannot be compared, else
        whether the loss is shown."""
        is_comparable = ends.verdict is not Verdict.ERROR
        shown = REGRESSED if is_found else NOT_SHOWN
        told = {
            "comparable": is_comparable,
            "reason": shown if is_comparable else ends.reason,
            "n": ends.n,
            "alpha": ends.alpha,
        }
        if self.is_hidden:
            return told
        return told | {
            "good": ends.base_score,
            "bad": ends.candidate_score,
            "delta": ends.delta,
            "lower": ends.lower,
            "upper": ends.upper,
            "method": ends.method,
            "p_regressed": ends.parameters.get("p_regressed"),
        }

    def _culprit(self, low: int, high: int) -> dict[str, Any]:
        """The commit that broke it, or those that it may be where some could not be measured."""
        version = self.versions[high]
        suspects = [self.versions[place]["oid"] for place in range(low + 1, high + 1)]
        merged = registries.merged_by(self.run.repository, [version["oid"]])
        clear = all(judged.is_clear for place in (low, high) if (judged := self.judged.get(place)))
        return {
            "culprit": {
                "oid": version["oid"],
                "subject": version["subject"],
                "pull_request": merged.get(version["oid"]),
            },
            "before": self.versions[low]["oid"],
            "suspects": suspects,
            "clear": clear and len(suspects) == 1,
        }
