"""The merge queue and what machines say: gates on the new base, weights that both sides moved."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from hub.actions import refs
from hub.errors import ConflictError
from hub.gitstore import AddFile
from hub.models import Access, BranchProtection, Membership
from reviews.actions.queue_said import reason_sentence
from reviews.actions.queueing import leave_queue
from reviews.actions.requirements import checklist
from reviews.actions.verdicts import submit_review
from reviews.actions.weight_merges import choice_of, start_weight_merge
from reviews.jobs import weight_merging
from reviews.jobs.comparing import carry_out
from reviews.jobs.pushes import record_push
from reviews.models import Discussion, QueueEntry, TimelineEvent, WeightMerge, WeightsComparison
from tests.factories import TESTER, actor
from tests.reviews.factories import make_maintainer, make_pull_request
from tests.reviews.queueing import held, outcome, queued, work
from tests.reviews.test_weight_merges import moved, proposal  # noqa: F401
from tests.reviews.test_weights_comparing import changed, model  # noqa: F401
from tests.training.acting import Act, Stage, _acting, chooses, questions, set_stage
from tests.training.factories import commit, large, weights_with
from training.jobs.execute import execute
from training.models import GateRecord, Run, RunStatus

pytestmark = pytest.mark.usefixtures("transactional_db")
SETTINGS = {"generation_config.json": b'{"max_length": 7}'}


class Gates:
    """Gates whose candidates lose the items of `lost`."""

    def __init__(self) -> None:
        self.lost: set[int] = set()
        act = Act("quiz", questions(120), lambda side, doc: chooses(self.lost)(side, doc))
        self.stage: Stage = set_stage(act)
        BranchProtection.objects.create(
            repository=self.stage.model, branch="main", required_approvals=0
        )
        self.first = self.stage.pull_request
        self.second = make_pull_request(self.stage.model, files=SETTINGS)

    def run(self) -> int:
        """Workers carry out every gate that waits; how many."""
        runs = list(Run.objects.filter(status="queued").values_list("pk", flat=True))
        with patch("training.jobs.scoring.RunnerJob", _acting(self.stage.acts)):
            for pk in runs:
                execute(pk)
        return len(runs)


@pytest.fixture
def gates() -> Gates:
    return Gates()


def test_the_queue_has_the_gate_weigh_each_on_the_one_before(gates):
    entries = [queued(row, gates.stage.maintainer) for row in (gates.first, gates.second)]
    work()
    assert [outcome(entry) for entry in entries] == [("working", ""), ("waiting", "")]
    work()
    assert gates.run() == 1, "only the first is weighed, and once"
    work()
    assert outcome(entries[0]) == ("merged", "")
    base = gates.stage.model.store().resolve("main")
    assert gates.run() == 1
    work()
    assert outcome(entries[1]) == ("merged", "")
    records = list(GateRecord.objects.order_by("pk").values_list("head_oid", "base_oid", "verdict"))
    assert records[-1] == (gates.second.head_oid, base, "pass")


def test_one_that_passed_alone_and_fails_on_the_new_base_is_ejected(gates):
    gates.stage.pull_request = gates.second
    assert gates.stage.play().verdict == "pass", "alone it passes"
    entries = [queued(row, gates.stage.maintainer) for row in (gates.first, gates.second)]
    work()
    gates.run()
    work()
    assert outcome(entries[0]) == ("merged", "")
    main = gates.stage.model.store().resolve("main")
    gates.lost = set(range(60))
    assert gates.run() == 1
    work()
    assert outcome(entries[1]) == ("ejected", "gate")
    assert entries[1].reason["parameters"] == {"key": "gate"}, "numbers would outlive their hiding"
    event = TimelineEvent.objects.filter(kind="queue").latest("pk")
    assert event.data["why"] == entries[1].reason
    assert reason_sentence(entries[1].reason) == "The gate does not let it through: see Benchmarks."
    assert gates.stage.model.store().resolve("main") == main
    assert not Run.objects.live().exists()


def test_a_gate_that_somebody_stopped_is_not_started_again(gates):
    entry = queued(gates.first, gates.stage.maintainer)
    work()
    run = Run.objects.get(status="queued")
    Run.objects.filter(pk=run.pk).update(cancel_requested_at=run.created_at)
    Run.objects.to_cancel().end(RunStatus.CANCELLED, RunStatus.CANCELLED)
    work()
    assert outcome(entry) == ("ejected", "requirement")
    assert Run.objects.count() == 1


def test_one_who_has_too_many_runs_waiting_keeps_the_place(gates, settings):
    settings.RUN_QUEUED_LIMIT_PER_USER = 0
    entry = queued(gates.first, gates.stage.maintainer)
    work()
    assert outcome(entry) == ("working", "")
    settings.RUN_QUEUED_LIMIT_PER_USER = 5
    work()
    assert gates.run() == 1
    work()
    assert outcome(entry) == ("merged", "")


# Weights ------------------------------------------------------------------------------------------


def machines() -> None:
    """Workers merge and read all weights that wait for it."""
    for merge in WeightMerge.objects.filter(state="waiting"):
        weight_merging.carry_out(merge.pk)
    for row in WeightsComparison.objects.filter(state="waiting"):
        carry_out(row.pk)


def approved(row: Discussion) -> None:
    BranchProtection.objects.create(repository=row.repository, branch="main", require_gate=False)
    reviewer = make_maintainer(row.repository)
    submit_review(held(row), actor(reviewer), head_oid=row.head_oid, verdict="approve")


def test_weights_that_both_moved_are_merged_by_the_chosen_way_and_stay_approved(proposal):  # noqa: F811
    approved(proposal)
    with pytest.raises(ConflictError, match="choose how"):
        queued(proposal)
    entry = queued(proposal, weights=choice_of({"method": "linear", "share": "0.25"}))
    for _round in range(3):
        work()
        machines()
    work()
    assert outcome(entry) == ("merged", "")
    store, merge = proposal.repository.store(), WeightMerge.objects.get()
    row = Discussion.objects.get(pk=proposal.pk)
    assert (merge.queue_entry, merge.by) == (entry, entry.by)
    assert row.head_oid == merge.result_oid != entry.head_oid
    recipe = store.read(row.merge_oid, ".weighbridge/merge.yaml", limit_bytes=1 << 16)
    assert b"merge_method: linear" in recipe and b"weight: 0.25" in recipe


def test_weights_that_move_while_it_waits_are_merged_again_or_it_is_ejected(model):  # noqa: F811
    rows = []
    for seed in (1, 2, 3):
        row = make_pull_request(model, files={f"{seed}.txt": b"x\n"})
        changed(model, moved(seed), row.ref)
        record_push(model, row.number, by=row.author)
        rows.append(Discussion.objects.get(pk=row.pk))
    choice = choice_of({"method": "linear"})
    entries = [queued(rows[0]), queued(rows[1], weights=choice), queued(rows[2])]
    for _round in range(6):
        work()
        machines()
    work()
    results = [outcome(entry) for entry in entries]
    assert results == [("merged", ""), ("merged", ""), ("ejected", "weights_moved")]


def test_weights_that_cannot_be_merged_so_are_told_in_words(model):  # noqa: F811
    row = make_pull_request(model)
    changed(model, moved(1, scale=-0.01), row.ref)
    record_push(model, row.number, by=row.author)
    changed(model, moved(1, scale=0.01))
    entry = queued(row, weights=choice_of({"method": "linear"}))
    work()
    machines()
    work()
    assert outcome(entry) == ("ejected", "weights_not_merged")
    assert entry.reason["parameters"]["error"]["code"] == "not_to_be_averaged"


def test_weights_are_not_merged_any_more_for_one_that_left(proposal):  # noqa: F811
    entry = queued(proposal, weights=choice_of({"method": "linear"}))
    work()
    made = WeightMerge.objects.get()
    claimed = QueueEntry.objects.get()
    leave_queue(held(proposal), actor(entry.by))
    machines()
    weight_merging.carry_out(made.pk)
    made.refresh_from_db()
    assert (made.state, made.error["code"]) == ("failed", "left_queue")
    assert proposal.repository.store().resolve(proposal.ref) == proposal.head_oid
    with pytest.raises(ConflictError, match="has left the merge queue"):
        start_weight_merge(held(proposal), actor(entry.by), claimed.weights, queue_entry=claimed)


def test_the_queue_merges_no_weights_into_a_version_that_nobody_queued(proposal):  # noqa: F811
    """A push whose news is lost between the worker's look and the start of the merge."""
    entry = queued(proposal, weights=choice_of({"method": "linear"}))
    claimed = QueueEntry.objects.claim(entry.pk)
    newer = commit(proposal.repository, [AddFile("late.txt", b"x")], proposal.ref)
    Discussion.objects.filter(pk=proposal.pk).update(head_oid=newer)
    with pytest.raises(ConflictError, match="has left the merge queue"):
        start_weight_merge(held(proposal), actor(entry.by), claimed.weights, queue_entry=claimed)
    assert not WeightMerge.objects.exists()


def test_the_box_offers_the_queue_where_weights_conflict_under_a_gate(gates, client_for):
    stage = gates.stage
    commit(stage.model, [large(stage.model, "model.safetensors", weights_with(1))])
    row = make_pull_request(stage.model)
    commit(stage.model, [large(stage.model, "model.safetensors", weights_with(2))], row.ref)
    record_push(stage.model, row.number, by=row.author)
    commit(stage.model, [large(stage.model, "model.safetensors", weights_with(3))])
    page = client_for(stage.maintainer).get(row.get_absolute_url()).content.decode()
    assert "main has moved the same weights" in page and "Merge when ready" in page


def test_a_weight_merge_that_the_author_starts_makes_approvals_stale(proposal):  # noqa: F811
    """The queue's inherits them, for a maintainer chose its recipe; nobody else's does."""
    approved(proposal)
    made = start_weight_merge(
        held(proposal), actor(proposal.author), choice_of({"method": "linear"})
    )
    weight_merging.carry_out(made.pk)
    row = held(proposal)
    assert row.head_oid != proposal.head_oid
    lines = {line.key: line.state for line in checklist(row).lines}
    assert lines["approvals"] == "stale"
    with pytest.raises(ConflictError, match="look at the new version"):
        queued(proposal)


def test_a_commit_with_the_parents_of_the_weight_merge_is_not_taken_for_it(proposal):  # noqa: F811
    """Whoever may push could else put anything in its place, under the approvals."""
    approved(proposal)
    entry = queued(proposal, weights=choice_of({"method": "linear"}))
    work()
    made = WeightMerge.objects.get()
    store = proposal.repository.store()
    forged = store.commit_tree(
        store.write_tree_on(made.theirs_oid, []),
        parents=[made.theirs_oid, made.ours_oid],
        message="Merge the weights of main: linear",
        author=TESTER,
    )
    store.move_ref(proposal.ref, new=forged, old=made.theirs_oid)
    weight_merging.carry_out(made.pk)
    made.refresh_from_db()
    assert (made.state, made.result_oid == forged) == ("failed", False)
    record_push(proposal.repository, proposal.number, by=proposal.author)
    row = held(proposal)
    assert row.head_oid == forged
    assert {line.key: line.state for line in checklist(row).lines}["approvals"] == "stale"
    work()
    assert outcome(entry)[0] == "ejected"


def test_a_review_of_what_the_queue_made_counts_before_the_one_it_inherits(proposal):  # noqa: F811
    approved(proposal)
    queued(proposal, weights=choice_of({"method": "linear"}))
    work()
    machines()
    row = held(proposal)
    assert row.head_oid == WeightMerge.objects.get().result_oid
    lines = {line.key: line.state for line in checklist(row).lines}
    assert lines["approvals"] == "met"
    reviewer = row.reviews.get().reviewer
    submit_review(row, actor(reviewer), head_oid=row.head_oid, verdict="request_changes")
    assert {line.key: line.state for line in checklist(row).lines}["approvals"] == "failed"
    work()
    assert outcome(QueueEntry.objects.get()) == ("ejected", "requirement")


def test_the_author_s_own_choice_of_a_recipe_inherits_no_approval(proposal):  # noqa: F811
    approved(proposal)
    Membership.objects.create(
        namespace=proposal.repository.namespace, user=proposal.author, access=Access.WRITE
    )
    choice = choice_of({"method": "linear", "share": "0.9"})
    entry = queued(proposal, proposal.author, weights=choice)
    for _round in range(3):
        work()
        machines()
    assert outcome(entry) == ("ejected", "requirement")
    assert entry.reason["parameters"]["key"] == "approvals"


def test_a_proposal_that_is_put_back_after_its_weights_were_merged_blocks_nobody(proposal):  # noqa: F811
    entry = queued(proposal, weights=choice_of({"method": "linear"}))
    work()
    machines()
    merge, store = WeightMerge.objects.get(), proposal.repository.store()
    assert store.ref_oid(proposal.ref) == merge.result_oid
    refs.move_ref(
        proposal.repository, actor(proposal.author), proposal.ref,
        old=merge.result_oid, new=merge.theirs_oid,
    )  # fmt: skip
    work()
    assert outcome(entry) == ("ejected", "new_version")
