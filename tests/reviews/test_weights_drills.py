"""Workers that are killed outright while they compare or merge weights: the work ends once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings as django_settings
from safetensors.numpy import save

from hub.gitstore import AddFile
from hub.jobs.working import due
from hub.models import Repository
from hub.models.work import WorkState
from reviews.actions.weight_merges import choice_of, start_weight_merge
from reviews.actions.weights import request_comparison, side_at
from reviews.jobs import comparing, tensor_reading, weight_merging
from reviews.jobs.pushes import record_push
from reviews.jobs.weight_files import WeightFile
from reviews.models import (
    Discussion,
    TensorComparison,
    TensorReading,
    TimelineEvent,
    TimelineKind,
    WeightMerge,
    WeightsComparison,
)
from tests.factories import actor, make_repository
from tests.killing import expire, kill, run_to_death, start, wait_until
from tests.reviews.factories import make_pull_request
from tests.training.factories import TINY, commit, large

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("transactional_db")]
TENSORS, SIZE, RANK = 48, 640, 3
# With a short lease, and word of every tensor.
WORKER = """
import datetime
from hub.jobs import working
from hub.models.work import Work
from reviews.jobs import {module}
Work.lease, working.TOLD_EVERY_SECONDS = lambda: datetime.timedelta(seconds=4), 0.0
{module}.carry_out(int(sys.argv[1]))
"""


def worker(module: str, pk: int) -> subprocess.Popen[bytes]:
    """A worker's process of its own, on this test's database."""
    return start(WORKER.format(module=module), pk, RUN_THREADS="1")


def weights(seed: int) -> bytes:
    """All that `seed` 0 has, and a change of low rank in every tensor for the others."""
    held = {}
    for number in range(TENSORS):
        base = np.random.default_rng(number).normal(size=(SIZE, SIZE)).astype(np.float32)
        step = np.random.default_rng([seed, number])
        left, right = step.normal(size=(SIZE, RANK)), step.normal(size=(RANK, SIZE))
        held[f"w{number}"] = (base + 0.01 * bool(seed) * left @ right).astype(np.float32)
    return save(held)


@pytest.fixture
def model() -> Repository:
    repository = make_repository()
    files = [AddFile("config.json", (TINY / "config.json").read_bytes())]
    commit(repository, [*files, large(repository, "model.safetensors", weights(0))])
    return repository


def moved(repository: Repository, seed: int, ref: str = "refs/heads/main") -> str:
    return commit(repository, [large(repository, "model.safetensors", weights(seed))], ref)


def told(row: WeightsComparison) -> tuple[object, ...]:
    row.refresh_from_db()
    return row.state, row.error, row.structure, row.summary, row.problems


def test_a_comparison_whose_worker_is_killed_ends_once_and_right(model):
    sides = side_at(model, model.store().resolve("main")), side_at(model, moved(model, 1))
    row = request_comparison(*sides)
    process = worker("comparing", row.pk)

    def is_amid() -> bool:
        row.refresh_from_db()
        return row.progress.get("step") == "spectra" and row.progress["done"] >= 2

    wait_until(is_amid, 120)
    kill(process)
    row.refresh_from_db()
    assert (row.state, row.fence) == (WorkState.RUNNING, 1)
    comparing.carry_out(row.pk)  # a doubled message, too early: the lease still holds
    assert due(WeightsComparison.objects.all()) == []
    known = TensorComparison.objects.count()
    assert known == TENSORS, "what was read is kept"
    wait_until(lambda: due(WeightsComparison.objects.all()) == [row.pk], 10)
    comparing.carry_out(row.pk)
    comparing.carry_out(row.pk)
    after = told(row)
    assert (row.state, row.fence) == (WorkState.DONE, 2)
    assert TensorComparison.objects.count() == known
    assert {each["rank"] for each in row.structure} == {RANK}

    for table in (TensorComparison, WeightsComparison):
        table.objects.all().delete()
    undisturbed = request_comparison(*sides)
    comparing.carry_out(undisturbed.pk)
    assert told(undisturbed) == after


def test_a_weight_merge_whose_worker_is_killed_lands_once(model, tmp_path):
    row: Discussion = make_pull_request(model)
    moved(model, 1, row.ref)
    record_push(model, row.number, by=row.author)
    moved(model, 2)
    row.refresh_from_db()
    row.repository = model
    before, patch_sets = row.head_oid, row.patch_sets.count()
    made = start_weight_merge(row, actor(row.author), choice_of({"method": "ties"}))
    process = worker("weight_merging", made.pk)

    def is_amid() -> bool:
        made.refresh_from_db()
        return bool(made.conditions)

    wait_until(is_amid, 120)
    kill(process)
    made.refresh_from_db()
    assert (made.state, made.fence) == (WorkState.RUNNING, 1)
    assert model.store().ref_oid(row.ref) == before
    weight_merging.carry_out(made.pk)  # too early
    wait_until(lambda: due(WeightMerge.objects.all()) == [made.pk], 10)
    weight_merging.carry_out(made.pk)
    weight_merging.carry_out(made.pk)
    made.refresh_from_db()
    assert (made.state, made.error, made.fence) == (WorkState.DONE, {}, 2)
    row.refresh_from_db()
    store = model.store()
    assert row.head_oid == store.ref_oid(row.ref) == made.result_oid
    assert store.commit_info(made.result_oid).parents == (before, made.ours_oid)
    assert row.patch_sets.count() == patch_sets + 1
    pushed = TimelineEvent.objects.filter(discussion=row, kind=TimelineKind.COMMIT)
    assert pushed.filter(data__oid=made.result_oid).count() == 1
    assert not list(django_settings.WORK_DIR.iterdir()), "nothing of the killed one is left"


READING = """
from reviews.jobs import tensor_reading

tensor_reading.tensor_numbers = die
tensor_reading.carry_out(int(sys.argv[1]))
"""


@pytest.fixture
def reading() -> TensorReading:
    """Of a file that lies in git, so that its worker copies it."""
    file = {"small.safetensors": save({"w": np.arange(12.0).reshape(3, 4)})}
    model = make_repository(files=file)
    store = model.store()
    entry = store.entry(store.resolve("main"), "small.safetensors")
    return TensorReading.objects.create(
        digest=f"git:{entry.oid}",
        tensor="w",
        version=1,
        repository=model,
        file=WeightFile(entry.path, entry.oid, "", entry.size).to_json(),
    )


def left() -> list[Path]:
    return list(django_settings.WORK_DIR.glob("TensorReading-*"))


def test_a_tensor_whose_worker_is_killed_is_read_by_the_next(reading):
    run_to_death(READING, reading.pk)
    tensor_reading.carry_out(reading.pk)  # too early
    reading.refresh_from_db()
    assert (reading.state, reading.fence, len(left())) == (WorkState.RUNNING, 1, 1)
    expire(TensorReading.objects)
    assert due(TensorReading.objects.all()) == [reading.pk]
    tensor_reading.carry_out(reading.pk)
    tensor_reading.carry_out(reading.pk)
    reading.refresh_from_db()
    assert (reading.state, reading.error, reading.fence) == (WorkState.DONE, {}, 2)
    assert reading.numbers and left() == []


def test_a_tensor_that_kills_its_last_worker_is_given_up(reading):
    TensorReading.objects.update(attempts_left=1)
    run_to_death(READING, reading.pk)
    expire(TensorReading.objects)
    assert due(TensorReading.objects.all()) == [] and left() == []
    reading.refresh_from_db()
    assert (reading.state, reading.error["code"]) == (WorkState.FAILED, "workers_died")
