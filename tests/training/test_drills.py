"""What happens to a run when its worker is killed, and how soon a cancelled one is gone."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection

from hub.models import Access
from reviews.models import Discussion
from tests.factories import actor, make_member
from tests.killing import kill, wait_until
from tests.killing import start as start_worker
from tests.training.factories import make_model
from training.actions.runs import cancel_run, run_again, submit_finetune
from training.jobs import sweep
from training.jobs.execute import execute
from training.models import Run, RunStatus

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("transactional_db")]
WORKER = "from training.jobs.execute import execute; execute(int(sys.argv[1]))"


@pytest.fixture
def start(settings) -> Callable[[int], Run]:
    settings.RUN_THREADS = 1

    def submit(steps: int) -> Run:
        model = make_model(steps=steps)
        model.access = Access.ADMIN
        owner = make_member(model.namespace, access=Access.ADMIN)
        return submit_finetune(model, actor(owner), recipe_path="recipes/spam.yaml", title="Spam")

    return submit


def worker(run: Run) -> subprocess.Popen[bytes]:
    """A worker's process of its own, on this test's database, with a short lease."""
    return start_worker(WORKER, run.pk, RUN_LEASE_SECONDS="4", RUN_HEARTBEAT_SECONDS="1")


def sandboxed(run: Run) -> list[int]:
    """Processes that work in the folder of `run`."""
    needle = f"runs/{run.pk}/attempt-".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if needle in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def checkpoint(run: Run) -> int:
    run.refresh_from_db()
    return run.progress.get("checkpoint_step", 0)


def adapter_sha256(run: Run) -> str:
    return next(file["sha256"] for file in run.result["files"] if "sha256" in file)


def test_a_killed_worker_loses_no_run_and_leaves_no_process(start):
    run = start(steps=40)
    process = worker(run)
    wait_until(lambda: checkpoint(run) >= 3, 120)
    assert sandboxed(run)
    kill(process)
    wait_until(lambda: not sandboxed(run), 5)
    reached = checkpoint(run)
    assert run.status == RunStatus.RUNNING
    execute(run.pk)  # a doubled message, too early: the lease still holds
    assert checkpoint(run) == reached
    wait_until(lambda: run.pk in sweep.due(), 10)

    execute(run.pk)
    execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.attempt) == (RunStatus.SUCCEEDED, 2)
    assert [a.outcome for a in run.attempts.all()] == ["lost", "succeeded"]
    assert run.attempts.last().resumed_from_step >= reached - 1
    assert Discussion.objects.filter(repository=run.repository_id).count() == 1
    assert sorted(run.metrics.filter(name="loss").values_list("step", flat=True)) == list(
        range(1, 41)
    )
    assert not list((Path(django_settings.RUNS_DIR)).glob(f"{run.pk}/*"))

    repository = run.repository
    repository.access = Access.ADMIN
    undisturbed = run_again(run, actor(run.created_by))
    execute(undisturbed.pk)
    undisturbed.refresh_from_db()
    assert adapter_sha256(undisturbed) == adapter_sha256(run)


@pytest.fixture
def in_thread() -> Iterator[Callable[[int], threading.Thread]]:
    threads = []

    def work(pk: int) -> None:
        try:
            execute(pk)
        finally:
            connection.close()

    def begin(pk: int) -> threading.Thread:
        threads.append(threading.Thread(target=work, args=(pk,)))
        threads[-1].start()
        return threads[-1]

    yield begin
    for thread in threads:
        thread.join(60)


def test_a_cancelled_run_is_gone_within_ten_seconds(start, in_thread):
    run = start(steps=100_000)
    thread = in_thread(run.pk)
    wait_until(lambda: checkpoint(run) >= 1, 120)
    run.repository.access = Access.ADMIN
    cancel_run(run, actor(run.created_by))
    seconds = wait_until(lambda: not sandboxed(run), 10)
    thread.join(10)
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    assert seconds < 10
    assert run.attempts.get().outcome == "cancelled"
    assert not Discussion.objects.exists()
