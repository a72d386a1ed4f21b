"""Who holds a run: claims, fencing numbers, one final state, the sweeper."""

from __future__ import annotations

import errno
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from hub.jobs.working import ClaimLostError
from hub.models import Access, CommitStatus, StatusState
from tests.factories import actor, make_repository, make_user
from tests.reviews.factories import make_pull_request
from tests.training.factories import make_model, make_run
from training.actions.gates import start_gate
from training.actions.runs import cancel_run
from training.jobs import sweep
from training.jobs.execute import execute
from training.jobs.finishing import finish
from training.jobs.lease import Lease
from training.jobs.recorder import Recorder
from training.jobs.workspace import Workspace
from training.models import Run, RunAttempt, RunStatus

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def claim(run: Run, worker: str = "w1") -> Run | None:
    return Run.objects.claim(run.pk, worker=worker)


def lose(run: Run, worker: str = "w1") -> Run:
    """A claim whose worker says nothing more."""
    row = claim(run, worker)
    assert row is not None
    Run.objects.filter(pk=run.pk).update(lease_ends_at=timezone.now() - MINUTE)
    return row


def test_a_second_message_finds_nothing_to_do():
    run = make_run()
    assert claim(run, "first") is not None
    assert claim(run, "second") is None
    run.refresh_from_db()
    assert (run.worker, run.attempt, run.fence) == ("first", 1, 1)


def test_an_abandoned_run_is_taken_over_and_the_lost_attempt_is_told():
    run = make_run()
    lose(run, "first")
    taken = claim(run, "second")
    assert taken is not None
    assert (taken.attempt, taken.fence) == (2, 2)
    outcomes = list(run.attempts.values_list("worker", "outcome"))
    assert outcomes == [("first", "lost"), ("second", "")]


def test_a_worker_that_wakes_up_late_can_write_nothing():
    run = make_run()
    late = lose(run, "first")
    recorder = Recorder(late)
    held = claim(run, "second")
    assert held is not None
    recorder.line("too late")
    recorder.metric(1, {"loss": 2.0})
    with pytest.raises(ClaimLostError):
        recorder.flush()
    assert not Run.objects.renew(late)
    with pytest.raises(ClaimLostError):
        finish(late, RunStatus.SUCCEEDED)
    run.refresh_from_db()
    assert run.status == RunStatus.RUNNING
    assert run.log_lines.count() == run.metrics.count() == 0


def test_a_run_ends_once():
    run = make_run()
    held = claim(run)
    assert held is not None
    finish(held, RunStatus.SUCCEEDED, result={"x": 1})
    with pytest.raises(ClaimLostError):
        finish(held, RunStatus.FAILED, error="again")
    assert claim(run) is None
    run.refresh_from_db()
    assert (run.status, run.result, run.error) == (RunStatus.SUCCEEDED, {"x": 1}, "")
    assert run.finished_at is not None
    assert run.attempts.get().outcome == "succeeded"
    assert run.repository.events.get(kind="run.finished").data["status"] == "succeeded"


def test_the_sweeper_rings_for_waiting_and_abandoned_runs_alone():
    waiting, abandoned, held, done = (make_run() for _ in range(4))
    lose(abandoned)
    claim(held)
    ended = claim(done)
    assert ended is not None
    finish(ended, RunStatus.SUCCEEDED)
    assert sweep.due() == [abandoned.pk, waiting.pk]


def test_a_waiting_run_is_cancelled_at_once_and_never_claimed():
    run = make_run()
    cancel_run(run, actor(run.created_by))
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    assert claim(run) is None


def test_a_cancelled_run_whose_worker_died_is_ended_by_the_sweeper():
    run = make_run()
    lose(run)
    Run.objects.filter(pk=run.pk).update(cancel_requested_at=timezone.now())
    assert claim(run) is None
    assert sweep.due() == []
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    assert not RunAttempt.objects.filter(run=run, ended_at__isnull=True).exists()


def test_points_of_a_resumed_run_replace_the_earlier_ones():
    run = make_run()
    held = claim(run)
    assert held is not None
    for value in (3.0, 2.5):
        recorder = Recorder(held)
        recorder.metric(1, {"loss": value, "odd name!": 1.0, "nan": float("nan")})
        recorder.flush()
    assert list(run.metrics.values_list("name", "step", "value")) == [("loss", 1, 2.5)]


def test_a_log_is_bounded_and_holds_no_control_characters_or_tokens(settings):
    settings.RUN_LOG_LIMIT_BYTES = 60
    held = claim(make_run())
    assert held is not None
    recorder = Recorder(held)
    recorder.line("a\x1b[31mred\u202e\x00 token wb_0123456789abcdefABCDEF")
    for _ in range(20):
        recorder.line("x" * 30)
    recorder.flush()
    lines = list(held.log_lines.values_list("text", flat=True))
    assert lines[0] == "a[31mred token wb_***"
    assert lines[-1].startswith("[The log is longer")
    assert len(lines) <= 4


def test_a_waiting_gate_that_is_cancelled_says_so_on_the_commit():
    model = make_model()
    model.access = Access.WRITE
    pull_request = make_pull_request(model, files={"generation_config.json": b"{}"})
    run = start_gate(model, pull_request.number, actor(make_user()))
    status = CommitStatus.objects.get(repository=model, oid=pull_request.head_oid)
    assert status.state == StatusState.PENDING
    cancel_run(run, actor(run.created_by))
    status.refresh_from_db()
    assert (status.state, status.description) == (StatusState.ERROR, "The gate was cancelled.")


def test_a_lease_ends_when_another_worker_has_the_run(transactional_db):
    run = make_run()
    first = claim(run, "first")
    assert first is not None
    with Lease(first, every=timedelta(0)) as lease:
        Run.objects.filter(pk=run.pk).update(lease_ends_at=timezone.now() - MINUTE)
        second = claim(run, "second")
        assert second is not None
        deadline = time.monotonic() + 10
        while not lease.must_stop and time.monotonic() < deadline:
            time.sleep(0.05)
        assert lease.lost
        with pytest.raises(ClaimLostError):
            lease.check()


def test_a_disk_that_fills_up_is_said_in_one_sentence(monkeypatch):
    run = make_run()

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Workspace, "prepare", full)
    execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.attempt) == (RunStatus.FAILED, 1)
    assert run.error.startswith("The worker's disk is full")


def test_a_run_whose_libraries_are_not_here_is_not_worked_on():
    run = make_run(spec={"inputs": [], "versions": {"torch": "0.0.1"}})
    execute(run.pk)
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert "made for torch 0.0.1" in run.error


def test_a_person_who_lost_access_gets_no_run():
    run = make_run(make_repository(visibility="private"))
    execute(run.pk)
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert "may no longer use" in run.error


def test_a_run_that_keeps_killing_its_worker_is_given_up():
    run = make_run()
    for _ in range(5):
        lose(run)
    execute(run.pk)
    assert sweep.due() == []
    run.refresh_from_db()
    assert (run.status, run.attempt) == (RunStatus.FAILED, 5)
    assert "lost 5 times" in run.error
    assert {attempt.outcome for attempt in run.attempts.all()} == {"lost"}


def test_a_person_has_so_many_runs_at_work_and_the_others_wait(settings):
    settings.RUN_RUNNING_LIMIT_PER_USER = 1
    person = make_user()
    claim(make_run(by=person))
    waiting = make_run(by=person)
    execute(waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.attempt) == (RunStatus.QUEUED, 0)
