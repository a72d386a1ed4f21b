"""The gate's run: base and the exact merge result on the same pinned items, then the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import transaction

from hub import events
from hub.actions import large_files
from hub.errors import ConflictError
from hub.jobs.working import ClaimLostError
from hub.models import CommitStatus, Event, Repository, StatusState
from training.jobs.benchmarks import PinnedBenchmark, benchmarks_of, pinned_of
from training.jobs.comparisons import Compared, write_comparison
from training.jobs.contamination import Contamination, look_for_contamination
from training.jobs.disclosure import coarse_look, coarse_progress, hidden_now
from training.jobs.errors import RunFailedError
from training.jobs.evaluations import Side
from training.jobs.finishing import finish
from training.jobs.items import Item, ItemsError
from training.jobs.lease import Lease
from training.jobs.looks import Sequential
from training.jobs.noise import noise_floors
from training.jobs.pins import pinned_items, told_pins
from training.jobs.preparing import asked_in_full, asked_in_order, only_chunks_of
from training.jobs.provable import Items, provable, require_provable
from training.jobs.questions import question_columns
from training.jobs.recorder import Recorder
from training.jobs.scoring import Asked, Decision, Look, Scored, Scoring
from training.jobs.sentences import sentence_of
from training.jobs.verdicts import Result, broken, corrected, overall, told
from training.jobs.workspace import Workspace
from training.models import GateRecord, GateVerdict, Run, RunStatus
from training.specs.gate import GateConfig, parse_gate
from training.statistics.looks import strict_alpha
from training.statistics.verdicts import Direction, Verdict

CONTEXT = "gate"
BLIND_KEY = "blind"
SIDES = ("base", "candidate")
STATES = {
    GateVerdict.PASS: StatusState.SUCCESS,
    GateVerdict.FAIL: StatusState.FAILURE,
    GateVerdict.BLOCKED: StatusState.FAILURE,
    GateVerdict.ERROR: StatusState.ERROR,
}


@dataclass
class Findings:
    """What a gate's run has found out, ready for the record."""

    results: list[Result]
    looks: list[dict[str, Any]] = field(default_factory=list)
    contamination: dict[str, Any] = field(default_factory=dict)
    pins: list[dict[str, Any]] = field(default_factory=list)
    comparison_sha256: str = ""

    @property
    def verdict(self) -> GateVerdict:
        """The benchmarks' verdict; a pinned item that was lost fails whatever they say."""
        found = GateVerdict(overall(self.results))
        lost = any(pin["state"] == "lost" for pin in self.pins)
        return GateVerdict.FAIL if lost and found is not GateVerdict.ERROR else found


def carry_out(lease: Lease, workspace: Workspace, recorder: Recorder) -> None:
    """Weigh what the spec pins and record the verdict."""
    run = lease.run
    _begin(run)
    _require_same_merge(run)
    sides = [_side(run, name) for name in SIDES]
    if sides[0].digest == sides[1].digest or not run.spec.get("is_weighable", True):
        verdict, nothing, reason = _of_nothing_weighed(run.spec)
        return settle(run, verdict, nothing, reason)
    weighing = Weighing(lease, workspace, recorder, sides)
    try:
        findings = weighing.findings()
    except ItemsError as error:
        recorder.line(f"The item results cannot be used: {error}")
        recorder.flush()
        findings = Findings(broken(weighing.pairs, error, weighing.alpha))
    lease.check()
    if findings.verdict is GateVerdict.PASS and run.spec.get("unweighed"):
        # What passed is not all that changed: somebody has to answer for the rest.
        return settle(run, GateVerdict.BLOCKED, findings, "partly_weighed")
    return settle(run, findings.verdict, findings)


def _of_nothing_weighed(spec: dict[str, Any]) -> tuple[GateVerdict, Findings, str]:
    """What is said of a change without a model to ask: never a pass where something was not seen.

    Weights and code that the gate cannot load, and a rule that is deleted or cannot be read, wait
    for an administrator's word (gate-methods, section 1: `blocked`).
    """
    if spec.get("unweighed"):
        return GateVerdict.BLOCKED, Findings([]), "not_weighable"
    if rule := spec.get("rule_change"):
        is_lost = rule["kind"] in ("deleted", "unreadable")
        verdict = GateVerdict.BLOCKED if is_lost else GateVerdict.PASS
        return verdict, Findings([]), "rule_change"
    return GateVerdict.PASS, Findings([]), "no_model_change"


class Weighing:
    """One weighing: what is asked, of whom, and what came of it."""

    def __init__(
        self, lease: Lease, workspace: Workspace, recorder: Recorder, sides: Sequence[Side]
    ) -> None:
        self.lease, self.workspace, self.recorder, self.sides = lease, workspace, recorder, sides
        self.run = lease.run
        self.gate: GateConfig = gate_of(self.run.spec)
        self.alpha: float = self.run.spec["gate"]["alpha"]
        self.benchmarks: list[PinnedBenchmark] = benchmarks_of(self.run.spec)
        self.pairs = list(zip(self.benchmarks, self.gate.benchmarks, strict=True))

    def findings(self) -> Findings:
        """Ask, decide look by look, and put together what the record holds.

        Raises: ItemsError when the results are not exactly those of the items asked;
        BadInputError when the items cannot prove what the rule asks for.
        """
        asked = self._asked()
        unclean = look_for_contamination(self.run, asked) if self.gate.contamination else None
        if unclean is not None and unclean.unusable:
            return Findings(self._unusable(unclean), contamination=unclean.to_json())
        sequential = Sequential(
            self.gate, asked, alpha=self.alpha, excluded=unclean.excluded if unclean else {}
        )
        scored = self._score(asked, sequential)
        pins = self._pins(asked, scored)
        results = [
            told(each, *(_counted(scored, side, each.asked.key, sequential) for side in SIDES))
            | {f"{side}_evaluation": scored.evaluations[side, each.asked.key].pk for side in SIDES}
            for each in sequential.results()
        ]
        results = corrected(self._with_noise(results, asked))
        return Findings(
            results,
            sequential.history,
            unclean.to_json() if unclean else {},
            pins,
            self._compare(results, asked, scored, sequential.excluded),
        )

    def _asked(self) -> list[Asked]:
        """Every benchmark in the order that the rule's digest gives its items."""
        seed = self.run.spec["gate"]["digest"]
        found = [
            asked_in_order(pinned, seed=seed, limit=wanted.limit) for pinned, wanted in self.pairs
        ]
        for asked, (pinned, wanted) in zip(found, self.pairs, strict=True):
            known = wanted.margin is not None and not wanted.margin.relative
            told = provable(
                pinned,
                wanted,
                Items(asked.count, asked.cluster_count),
                pinned.margin(wanted).value if known else None,
                gate=self.gate,
                alpha=self._first_alpha,
            )
            require_provable(told)
        return found

    @property
    def _first_alpha(self) -> float:
        """The level of a first attempt, for which a strict rule was saved."""
        if not self.gate.strict:
            return self.alpha
        attempt = self.run.spec["gate"]["attempt"]
        return self.alpha * strict_alpha(1.0, 1) / strict_alpha(1.0, attempt)

    def _score(self, asked: list[Asked], sequential: Sequential) -> Scored:
        stages, extra = sequential.stages, []
        if "blind" in self.run.spec:
            prompts = asked_in_full(pinned_of(self.run.spec["blind"]))
            extra.append(prompts)
            stages = [stage | {prompts.key: prompts.count} for stage in stages]

        def decide(look: Look) -> Decision:
            decision = sequential.decide(look)
            self._tell_looks(sequential)
            return Decision(decision.settled | {each.key for each in extra}, decision.is_final)

        return self._scoring([*asked, *extra], stages=stages, decide=decide).run()

    def _tell_looks(self, sequential: Sequential) -> None:
        """What every look so far has said, for the page of the run; of hidden benchmarks the
        verdict alone."""
        hidden = [p.key for p, wanted in self.pairs if wanted.hidden or p.definition.hidden]
        told = [coarse_look(look, hidden) for look in sequential.history]
        self.recorder.tell(looks=told, look_count=len(sequential.stages))
        self.recorder.flush()

    def _scoring(self, asked: Sequence[Asked], **how: Any) -> Scoring:
        return Scoring(
            self.lease, self.workspace, self.recorder, sides=self.sides, asked=asked, **how
        )

    def _pins(self, asked: list[Asked], scored: Scored) -> list[dict[str, Any]]:
        """How the pinned items fared; those that no look has asked are asked now."""
        pins = pinned_items(self.run.repository_id, asked)
        late = []
        for each in asked:
            known = scored.items["candidate", each.key].keys() & scored.items["base", each.key]
            if missing := [
                pin.item_id for pin in pins.get(each.key, ()) if pin.item_id not in known
            ]:
                late.append(only_chunks_of(each, missing))
        if late:
            more = self._scoring(late).run()
            for pair, items in more.items.items():
                scored.items[pair] |= items
                scored.evaluations[pair] = more.evaluations[pair]
        return told_pins(pins, asked, scored)

    def _with_noise(self, results: list[Result], asked: list[Asked]) -> list[Result]:
        """`results` with the noise floor of the base, where the rule asks for it."""
        if not self.gate.noise_floor:
            return results
        return noise_floors(
            self.lease, self.workspace, self.recorder, self.sides[0], asked, results
        )

    def _unusable(self, unclean: Contamination) -> list[Result]:
        """Every benchmark as an error: too much of it lies in the proposal's training data."""
        error = ItemsError("contaminated", share=max(unclean.shares.values()))
        return [
            result
            if unclean.shares.get(result["key"], 0.0) > unclean.limit
            else result | {"verdict": Verdict.INCONCLUSIVE.value, "reason": "not_asked"}
            for result in broken(self.pairs, error, self.alpha)
        ]

    def _compare(
        self,
        results: list[Result],
        asked: list[Asked],
        scored: Scored,
        excluded: dict[str, frozenset[str]],
    ) -> str:
        """Store both sides item by item for the pages; the file's SHA-256."""
        compared = [
            _compared(result, each, scored, excluded.get(each.key, frozenset()))
            for result, each in zip(results, asked, strict=True)
        ]
        blob = write_comparison(self.run.repository.blobs(), compared)
        large_files.link(self.run.repository, blob)
        return blob.sha256


def _counted(scored: Scored, side: str, key: str, sequential: Sequential) -> dict[str, Item]:
    """The items that a benchmark's verdict was made of."""
    items = scored.items[side, key]
    return {item_id: items[item_id] for item_id in sequential.counted(key)}


def _compared(result: Result, asked: Asked, scored: Scored, excluded: frozenset[str]) -> Compared:
    columns = question_columns(asked.row, ("id", "length"))
    clean = [item.id for item in asked.order if item.id not in excluded]
    return Compared(
        key=asked.key,
        metric=asked.pinned.metric,
        sign=-1.0 if asked.pinned.measured.direction is Direction.LOWER else 1.0,
        target=asked.pinned.measured.target,
        failed=result["verdict"] == Verdict.FAIL.value,
        base=list(scored.items["base", asked.key].values()),
        candidate=list(scored.items["candidate", asked.key].values()),
        questions=dict(zip(columns["id"], enumerate(columns["length"]), strict=True)),
        excluded=excluded,
        counted=frozenset(clean[: result["n"]]) if result.get("n") else None,
    )


def gate_of(spec: dict[str, Any]) -> GateConfig:
    """The rule that a spec was frozen with."""
    return parse_gate(spec["gate"]["text"])


@transaction.atomic
def _begin(run: Run) -> None:
    if not Run.objects.held(run).select_for_update().exists():
        raise ClaimLostError
    set_status(run, StatusState.RUNNING, "The gate is weighing this change.")


def _require_same_merge(run: Run) -> None:
    """The tree that is weighed must be what git makes of base and head, here and now."""
    change = run.spec["change"]
    try:
        tree = run.repository.store().merge_tree(change["base_oid"], change["head_oid"])
    except ConflictError as error:
        raise RunFailedError(str(error)) from error
    if tree != change["merge_tree"]:
        raise RunFailedError("The merge result is not the one that was submitted: start it again.")


def _side(run: Run, name: str) -> Side:
    given = run.inputs(name)[0]
    return Side(name, given["digest"], given["commit"])


@transaction.atomic
def settle(run: Run, verdict: GateVerdict, found: Findings, reason: str = "") -> None:
    """Record the verdict, the status on the commit and the end of the run, or nothing of it."""
    change = run.spec["change"]
    Repository.objects.select_for_update(no_key=True).only("pk").get(pk=run.repository_id)
    attempt = GateRecord.objects.of(run.repository_id, change["number"]).count() + 1
    facts = {
        "reason": reason,
        "unweighed": run.spec.get("unweighed", []),
        "rule": run.spec.get("rule_change"),
        "pins": found.pins,
        "undeclared": run.spec["gate"].get("undeclared", False),
        "unreadable_data": run.spec["gate"].get("unreadable_data", []),
    }
    hidden = hidden_now(
        (each["benchmark"] for each in found.results if "benchmark" in each),
        within=run.repository_id,
    )
    results = [
        each | {"hidden": True} if each.get("benchmark") in hidden else each
        for each in found.results
    ]
    GateRecord.objects.create(
        repository=run.repository,
        pull_request_number=change["number"],
        attempt=attempt,
        head_oid=change["head_oid"],
        base_oid=change["base_oid"],
        merge_tree=change["merge_tree"],
        config_digest=run.spec["gate"]["digest"],
        verdict=verdict,
        sentence=facts,
        results=results,
        looks=found.looks,
        contamination=found.contamination,
        comparison_sha256=found.comparison_sha256,
        run=run,
    )
    said = sentence_of(verdict, results, facts)
    progress = Run.objects.values_list("progress", flat=True).get(pk=run.pk)
    finish(
        run,
        RunStatus.SUCCEEDED,
        result={"verdict": str(verdict), "sentence": said},
        progress=coarse_progress(progress, [r["key"] for r in results if r.get("hidden")]),
    )
    set_status(run, STATES[verdict], said)
    Event.objects.create(
        repository=run.repository,
        actor=run.created_by,
        kind="gate.decided",
        path=change["path"],
        data={"number": change["number"], "verdict": str(verdict), "run": run.number},
    )


def settle_unweighed(run: Run, error: str) -> None:
    """A run that ended without a verdict: said on the commit, so that nobody waits for it."""
    told = error or "The gate was cancelled."
    set_status(run, StatusState.ERROR, told)


def set_status(run: Run, state: StatusState, description: str) -> None:
    """Say on the commit how the gate stands, and tell whoever listens after the commit."""
    change: dict[str, Any] = run.spec["change"]
    status, _created = CommitStatus.objects.update_or_create(
        repository=run.repository,
        oid=change["head_oid"],
        base_oid=change["base_oid"],
        context=CONTEXT,
        defaults={
            "state": state,
            "description": description[:300],
            "target_path": run.get_absolute_url(),
        },
    )
    told = {"repository": run.repository, "status": status}
    transaction.on_commit(partial(events.status_changed.send_robust, CommitStatus, **told))
