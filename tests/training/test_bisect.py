"""Which commit broke this? Found by halving, with every stored score used first."""

from __future__ import annotations

import json
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.utils import timezone

from hub.errors import (
    BadInputError,
    ForbiddenError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    UnauthenticatedError,
)
from hub.gitstore import DeleteFile
from hub.jobs.working import ClaimLostError
from hub.models import Access, CommitStatus, Event, Visibility
from reviews.actions.merging import merge_pull_request
from reviews.actions.pull_requests import open_pull_request
from reviews.actions.timeline import add_comment, edit_comment
from reviews.models import Comment, Discussion
from tests.factories import actor, commit_files, make_member, make_user
from tests.killing import wait_until
from tests.reviews.factories import read_weights
from tests.training.factories import commit, large, make_model, weights_with
from tests.training.measuring import Lab, make_lab
from tests.training.test_drills import worker
from training.actions.bisecting import submit_bisect
from training.actions.evaluating import submit_evaluation
from training.actions.runs import cancel_run, run_again
from training.jobs import sweep
from training.jobs.bisect import Search
from training.jobs.culprits import comment_of
from training.jobs.errors import RunFailedError
from training.jobs.execute import execute
from training.jobs.hiding import hide
from training.jobs.retelling import due, tell_less
from training.models import Evaluation, Run, RunStatus

pytestmark = pytest.mark.usefixtures("transactional_db")
GOOD, BAD = frozenset(range(3)), frozenset(range(40))


def lab_with(count: int, broken_from: int) -> Lab:
    """A model of `count` versions, worse from one on; each gets another item wrong, for noise."""
    wrong = [(BAD if number >= broken_from else GOOD) | {50 + number} for number in range(count)]
    return make_lab(*wrong)


def ask(lab: Lab, good: int = 0, bad: int | None = None, **more) -> Run:
    ends = {"good": lab.oids[good], "bad": "" if bad is None else lab.oids[bad]}
    wanted = {"benchmark": lab.reference, **ends, **more}
    return submit_bisect(lab.model, actor(lab.owner), **wanted)


def found(lab: Lab, run: Run) -> int:
    """The number of the version that a finished search names."""
    assert run.status == RunStatus.SUCCEEDED, run.error
    return lab.oids.index(run.result["culprit"]["oid"])


@pytest.mark.parametrize("culprit", [1, 13, 16, 31])
def test_a_regression_among_32_commits_is_found_in_five_new_evaluations(culprit):
    lab = lab_with(32, culprit)
    for number in (0, 31):  # a drop is seen because both ends have been measured
        lab.measure(lab.oids[number])
    before = Evaluation.objects.count()
    run = lab.carry_out(ask(lab))
    assert found(lab, run) == culprit
    assert run.result["clear"] and run.result["suspects"] == [lab.oids[culprit]]
    assert run.result["ends"]["reason"] == "regressed"
    assert Evaluation.objects.count() - before == run.result["new"] <= 5


def test_ends_that_nobody_has_measured_are_measured_first_and_together():
    lab = lab_with(8, 5)
    run = lab.carry_out(ask(lab))
    assert found(lab, run) == 5
    assert lab.asked[:2] == [0, 7]
    assert run.result["new"] == len(lab.asked) <= 5


def test_what_is_known_narrows_the_search_and_a_second_one_runs_nothing():
    lab = lab_with(32, 20)
    for number in (0, 18, 21, 31):
        lab.measure(lab.oids[number])
    run = lab.carry_out(ask(lab))
    assert (found(lab, run), run.result["new"]) == (20, 2)
    again = lab.carry_out(run_again(run, actor(lab.owner)))
    assert (found(lab, again), again.result["new"]) == (20, 0)
    assert again.cpu_seconds is None, "nothing ran in the sandbox"


def test_commits_that_leave_the_model_alone_are_no_candidates():
    lab = lab_with(2, 2)
    commit_files(lab.model, {"README.md": b"# Words\n"})
    lab.add_version(BAD)
    bad = commit_files(lab.model, {"notes.txt": b"more\n"})
    run = submit_bisect(
        lab.model, actor(lab.owner), benchmark=lab.reference, good=lab.oids[0], bad=bad
    )
    assert [v["oid"] for v in run.spec["versions_between"]] == lab.oids
    assert found(lab, lab.carry_out(run)) == 2


def test_a_model_that_came_back_is_known_and_the_last_break_is_named():
    lab = make_lab(GOOD, BAD, GOOD, {5}, BAD)
    weights = lab.model.store().entry(lab.oids[0], "model.safetensors")
    assert weights.lfs is not None
    for number in (0, 1, 2, 4):
        lab.measure(lab.oids[number])
    run = lab.carry_out(ask(lab))
    assert (found(lab, run), run.result["new"]) == (4, 1)


def test_without_a_shown_loss_there_is_nothing_to_bisect():
    lab = make_lab({1, 2}, {1, 3}, {2, 3, 4})
    run = lab.carry_out(ask(lab))
    assert run.status == RunStatus.SUCCEEDED
    assert not run.result["found"] and lab.asked == [0, 2], "only the ends were measured"
    assert run.result["sentence"].startswith("Not shown: words is not shown to be worse")
    assert run.result["ends"]["reason"] == "not_shown"
    assert not CommitStatus.objects.exists()
    assert not Event.objects.filter(kind="bisect.found").exists()


def test_too_few_items_show_nothing_either():
    lab = make_lab(set(), set(range(30)), items=40)
    run = lab.carry_out(ask(lab))
    assert not run.result["found"]
    assert run.result["ends"]["reason"] == "too_few_items"


def test_a_version_halfway_is_a_suspicion_and_told_as_one():
    lab = make_lab(set(), {0, 1, 2, 3, 4}, set(range(9)))
    run = lab.carry_out(ask(lab))
    assert found(lab, run) == 1, "5 of 9 is nearer to the bad end"
    middle = run.result["steps"][1]
    assert middle["broken"] and middle["clear"]
    # Six items net are lost, but ten lost and four gained may be chance.
    good, ten = set(range(100, 106)), set(range(10))
    lab = make_lab(good, ten | {100, 101}, good | ten)
    run = lab.carry_out(ask(lab))
    assert not run.result["clear"]
    assert " probably with " in run.result["sentence"]


def searched() -> tuple[Lab, Run, Discussion]:
    """A search that named the merge of a pull request."""
    lab = make_lab(GOOD, GOOD | {60})
    lab.model.access = Access.ADMIN
    head = lab.add_version(BAD, ref="refs/heads/feature")
    opened = open_pull_request(
        lab.model, by=make_user(), title="Faster", description="", head_oid=head,
        target_branch="main",
    )  # fmt: skip
    row = Discussion.objects.get(repository=lab.model, number=opened.number)
    row.repository = lab.model
    read_weights(row)
    merge = merge_pull_request(row, actor(lab.owner))
    lab.oids[2] = merge  # the version of the branch is the merge, not what it brought
    lab.add_version(BAD | {61})
    row.refresh_from_db()
    return lab, lab.carry_out(ask(lab)), row


def test_the_culprit_is_told_on_commit_activity_and_pull_request_once():
    lab, run, row = searched()
    merge = row.merge_oid
    assert run.result["culprit"]["oid"] == merge
    assert run.result["culprit"]["pull_request"] == row.number
    status = CommitStatus.objects.get(repository=lab.model, oid=merge)
    assert (status.context, status.state) == ("bisect/words", "failure")
    assert status.target_path == run.get_absolute_url()
    event = Event.objects.get(repository=lab.model, kind="bisect.found")
    assert (event.path, event.data["oid"]) == (run.get_absolute_url(), merge)
    comment = Comment.objects.get(event__discussion=row)
    assert comment.body.startswith("**Bisect** · `words` went from 97.5 % to 65.8 % with ")
    assert comment.event.actor == lab.owner
    execute(run.pk)  # a late message
    assert Comment.objects.count() == 1


def test_of_a_hidden_benchmark_no_number_is_told_anywhere():
    lab = make_lab(GOOD, BAD, BAD | {50}, more=", hidden: true")
    run = lab.carry_out(ask(lab))
    assert found(lab, run) == 1
    assert run.result["sentence"] == f"words got worse with {lab.oids[1][:7]}."
    told = json.dumps([run.result, run.progress])
    for number in ("0.975", "0.66", "97.5", "delta", "p_regressed"):
        assert number not in told
    assert CommitStatus.objects.get().description == run.result["sentence"]


def test_what_a_search_wrote_before_its_benchmark_was_hidden_is_written_anew():
    lab, run, row = searched()
    comment = Comment.objects.get(event__discussion=row)
    said = add_comment(row, actor(lab.owner), comment.body + " So I fear 65.8 %.").comment
    edited = add_comment(row, actor(lab.owner), comment.body)
    edit_comment(row, actor(lab.owner), edited.pk, "Never mind.")
    hide(lab.data.pk, "words.yaml")
    for key in due():
        tell_less(key)
    run.refresh_from_db()
    assert run.result["sentence"] == f"words got worse with {row.merge_oid[:7]}."
    assert CommitStatus.objects.get(context="bisect/words").description == run.result["sentence"]
    told = json.dumps([run.result, run.progress, list(Event.objects.values_list("data"))])
    comment.refresh_from_db()
    edited.comment.refresh_from_db()
    for text in (told, comment.body, *edited.comment.history):
        assert not any(number in text for number in ("97.5", "65.8", "0.975", "0.658", "31.7"))
    assert comment.body.startswith("**Bisect** · `words` got worse with ")
    said.refresh_from_db()
    assert said.body.endswith("So I fear 65.8 %."), "what a person wrote stays"


def test_a_label_cannot_act_as_markdown_in_a_comment():
    label = "a`b](http://x) **"
    result = {"label": label, "hidden": True, "found": True, "clear": True, "versions": 3, "new": 1,
              "suspects": ["a"], "culprit": {"oid": "a" * 40}, "unit": "share",
              "ends": {"comparable": True}}  # fmt: skip
    run = Run(number=3, repository=make_lab().model)
    assert comment_of(run, result).startswith("**Bisect** · `a'b](http://x) **` got worse with ")


def test_a_search_that_loses_its_worker_goes_on_and_ends_as_if_undisturbed():
    lab = lab_with(32, 11)
    run = ask(lab)
    measure, calls = Search._measure, []

    def dies_at_the_third(self, places):
        calls.append(places)
        if len(calls) == 3:
            raise ClaimLostError
        measure(self, places)

    with lab.acting(run), patch.object(Search, "_measure", dies_at_the_third):
        execute(run.pk)
    run.refresh_from_db()
    assert run.status == RunStatus.RUNNING
    assert run.progress["search"]["high"] < 31
    Run.objects.filter(pk=run.pk).update(lease_ends_at=timezone.now() - timedelta(minutes=1))
    lab.carry_out(run)
    assert (found(lab, run), run.attempt) == (11, 2)
    assert Evaluation.objects.count() == run.result["new"] == len(lab.asked) <= 7
    assert all(step["new"] for step in run.result["steps"])


def test_a_search_can_be_cancelled_between_two_versions():
    lab = lab_with(16, 9)
    run = ask(lab)
    run.repository = lab.model
    tell = Search._tell

    def cancels(self, *facts):
        tell(self, *facts)
        self.lease.cancelled = True

    with patch.object(Search, "_tell", cancels):
        lab.carry_out(run)
    assert run.status == RunStatus.CANCELLED
    assert not Event.objects.filter(kind="bisect.found").exists()
    assert Evaluation.objects.count() == 3, "what was measured stays"
    waiting = ask(lab)
    waiting.repository = lab.model
    cancel_run(waiting, actor(lab.owner))
    waiting.refresh_from_db()
    assert waiting.status == RunStatus.CANCELLED


def test_a_version_that_cannot_be_measured_is_left_out_and_named():
    lab = lab_with(5, 3)
    run = ask(lab)
    measure = Search._measure

    def refuses(self, places):
        if 2 in places or 3 in places:
            raise RunFailedError("The model has no config.json; add one.")
        measure(self, places)

    with patch.object(Search, "_measure", refuses):
        lab.carry_out(run)
    assert found(lab, run) == 4
    assert run.result["suspects"] == lab.oids[2:5]
    assert not run.result["clear"]
    assert set(run.result["left_out"]) == {lab.oids[2], lab.oids[3]}
    assert "or one of the 2 versions before it" in run.result["sentence"]


def test_an_end_that_cannot_be_measured_fails_the_run_with_the_reason():
    lab = lab_with(3, 1)
    run = ask(lab)
    lab.wrong[2] = set()
    lab.answer = lambda oid, doc: {"metrics": {"acc": float("nan")}, "loglikelihoods": []}
    lab.carry_out(run)
    assert run.status == RunStatus.FAILED
    assert "scores_not_finite" in run.error


@pytest.mark.drill
@pytest.mark.timeout(1800)
def test_a_planted_regression_among_32_real_commits_is_found_although_the_worker_is_killed(
    settings,
):
    settings.RUN_THREADS = 1
    model, culprit = make_model(), 21
    owner = make_member(model.namespace, access=Access.ADMIN)
    benchmarks = [f"{model.namespace.slug}/data:benchmark.yaml"]
    oids = [
        commit(model, [large(model, "model.safetensors", weights_with(n + 1, broken=n >= culprit))])
        for n in range(32)
    ]
    for oid in (oids[0], oids[31]):
        measured = submit_evaluation(model, actor(owner), benchmarks=benchmarks, revision=oid)
        execute(measured.pk)
    before = Evaluation.objects.count()
    assert before == 2
    run = submit_bisect(model, actor(owner), benchmark=benchmarks[0], good=oids[0])
    process = worker(run)
    wait_until(lambda: Evaluation.objects.count() == before + 2, 600)
    process.kill()
    process.wait()
    wait_until(lambda: run.pk in sweep.due(), 30)
    execute(run.pk)
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED, run.error
    assert [attempt.outcome for attempt in run.attempts.all()] == ["lost", "succeeded"]
    assert run.result["culprit"]["oid"] == oids[culprit]
    assert run.result["clear"]
    assert Evaluation.objects.count() - before == run.result["new"] <= 5


class TestWhatIsRefused:
    def test_ends_that_are_not_of_one_branch(self):
        lab = lab_with(3, 1)
        side = lab.add_version(GOOD, ref="refs/heads/side")
        with pytest.raises(BadInputError, match="earlier commit of the same branch"):
            ask(lab, good=2, bad=0)
        with pytest.raises(BadInputError, match="same branch"):
            submit_bisect(lab.model, actor(lab.owner), benchmark=lab.reference, good=side)
        with pytest.raises(RevisionNotFoundError):
            submit_bisect(lab.model, actor(lab.owner), benchmark=lab.reference, good="nowhere")

    def test_ends_with_the_same_model_or_none(self):
        lab = lab_with(2, 1)
        same = commit_files(lab.model, {"notes.txt": b"words"})
        with pytest.raises(BadInputError, match="same model files"):
            submit_bisect(
                lab.model, actor(lab.owner), benchmark=lab.reference, good=lab.oids[1], bad=same
            )
        commit(lab.model, [DeleteFile("model.safetensors")])
        with pytest.raises(BadInputError, match="no safetensors weights"):
            ask(lab)

    @pytest.mark.parametrize("alpha", [0.0, 0.5])
    def test_a_level_that_says_nothing(self, alpha):
        with pytest.raises(BadInputError, match="alpha must lie between"):
            ask(lab_with(2, 1), alpha=alpha)

    def test_people_who_may_not_measure(self):
        lab = lab_with(2, 1)
        wanted = {"benchmark": lab.reference, "good": lab.oids[0]}
        with pytest.raises(UnauthenticatedError):
            submit_bisect(lab.model, actor(), **wanted)
        head = lab.add_version(BAD, ref="refs/pr/7")
        lab.model.access = Access.READ
        with pytest.raises(ForbiddenError, match="files of a proposal"):
            submit_bisect(lab.model, actor(make_user()), **wanted, bad=head)
        stranger = make_user()
        assert submit_bisect(lab.model, actor(stranger), **wanted).created_by == stranger

    def test_benchmarks_that_the_person_cannot_read(self):
        lab = lab_with(2, 1)
        lab.data.visibility = Visibility.PRIVATE
        lab.data.save()
        wanted = {"benchmark": lab.reference, "good": lab.oids[0]}
        with pytest.raises(RepositoryNotFoundError):
            submit_bisect(lab.model, actor(make_user()), **wanted)
        insider = make_member(lab.model.namespace, access=Access.READ)
        assert submit_bisect(lab.model, actor(insider), **wanted).number == 1
