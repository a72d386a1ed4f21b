"""A fine-tune and its gate from submission to merge, in the real sandbox, on the tiny model."""

from __future__ import annotations

import pytest

from hub.extensions import RequirementState, registries
from hub.formats.card import parse_card
from hub.formats.eval_results import load_eval_results
from hub.gitstore import AddFile
from hub.models import Access, CommitStatus
from reviews.actions.merging import merge_pull_request
from reviews.changes import change_of
from reviews.models import Discussion
from reviews.weights.patch_writing import make_patch
from reviews.weights.patches import PATCH
from tests.factories import actor, make_member
from tests.reviews.factories import propose_commit, read_weights
from tests.training.factories import TINY, broken_weights, commit, large, make_model
from tests.weights.folders import opened
from training.actions.gates import start_gate
from training.actions.runs import run_again, submit_finetune
from training.jobs.execute import execute
from training.jobs.items import read_items
from training.jobs.questions import all_questions
from training.models import Benchmark, Evaluation, GateRecord, Run, RunStatus

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def model(settings):
    settings.RUN_THREADS = 1
    model = make_model()
    model.access = Access.ADMIN
    return model


@pytest.fixture
def owner(model):
    return make_member(model.namespace, access=Access.ADMIN)


def gate_line(pull_request: Discussion):
    lines = [
        line
        for source in registries.requirements
        for line in source(pull_request.repository, change_of(pull_request))
    ]
    return next(line for line in lines if line.key == "gate")


def test_a_fine_tune_comes_back_as_a_pull_request_that_is_weighed_and_merged(model, owner):
    run = submit_finetune(model, actor(owner), recipe_path="recipes/spam.yaml", title="Spot spam")
    execute(run.pk)
    run.refresh_from_db()
    assert run.error == ""
    assert run.status == RunStatus.SUCCEEDED
    assert run.metrics.filter(name="loss").count() == 4
    assert run.log_lines.exists()
    assert run.progress == {"done": 4, "total": 4, "unit": "steps", "checkpoint_step": 4}
    assert run.cpu_seconds and run.peak_memory_bytes

    pull_request = Discussion.objects.get(repository=model, number=run.pull_request_number)
    pull_request.repository = model
    assert (pull_request.title, pull_request.author) == ("Spot spam", owner)
    store, head = model.store(), pull_request.head_oid
    files = {entry.path for entry in store.tree(head, recursive=True)}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= files
    assert store.entry(head, "adapter_model.safetensors").lfs is not None
    card = parse_card(store.read(head, "README.md", limit_bytes=1 << 20), "model")
    assert card.data["license"] == "mit"
    assert card.data["datasets"] == [run.inputs("data")[0]["source"]]
    assert "## Fine-tune: Spot spam" in card.body

    gate = Run.objects.get(kind="compare", pull_request_number=pull_request.number)
    assert gate_line(pull_request).state is RequirementState.RUNNING
    execute(gate.pk)
    gate.refresh_from_db()
    assert gate.error == ""
    record = gate.gate_record
    assert record.verdict == "pass"
    assert (record.head_oid, record.attempt) == (head, 1)
    (result,) = record.results
    assert (result["n"], result["method"]) == (100, "tango")
    status = CommitStatus.objects.get(repository=model, oid=head, context="gate")
    assert (status.state, status.base_oid) == ("success", record.base_oid)
    assert gate_line(pull_request).state is RequirementState.MET
    stored = Evaluation.objects.get(pk=result["candidate_evaluation"])
    items = read_items(model.blobs(), stored.items_sha256)
    assert len(items) == 100
    assert items[0].group and len(items[0].loglikelihoods) == 2
    asked = all_questions(Benchmark.objects.get(pk=result["benchmark"]))
    assert asked[items[0].id].choices == ("the", "of")
    assert asked[items[0].id].prompt.endswith("And all of")

    read_weights(pull_request)
    merge_oid = merge_pull_request(pull_request, actor(owner))
    merged = parse_card(store.read(merge_oid, "README.md", limit_bytes=1 << 20), "model")
    (entry,) = merged.data["model-index"][0]["results"]
    assert entry["metrics"][0]["value"] == pytest.approx(result["candidate_score"], abs=1e-6)
    (scores,) = store.tree(merge_oid, ".eval_results")
    (written,) = load_eval_results(store.read(merge_oid, scores.path, limit_bytes=1 << 20))
    assert written.value == entry["metrics"][0]["value"]


def test_a_harmful_change_is_refused_with_the_benchmark_named(model, owner):
    head = commit(model, [large(model, "model.safetensors", broken_weights())], "refs/heads/bad")
    pull_request = propose(model, owner, head)
    gate = Run.objects.get(kind="compare", pull_request_number=pull_request.number)
    execute(gate.pk)
    record = GateRecord.objects.get(run=gate)
    line = gate_line(pull_request)
    assert record.verdict == "fail"
    assert line.state is RequirementState.FAILED
    assert line.detail.startswith("Refused: next-word fell by ")
    assert line.detail.endswith("points, allowed 20.")


def test_a_sparse_patch_is_weighed_as_the_weights_it_makes(model, owner, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(broken_weights())
    with opened(TINY) as base, opened(tmp_path) as candidate:
        make_patch(base, candidate, tmp_path / PATCH)
    patch = large(model, PATCH, (tmp_path / PATCH).read_bytes())
    assert patch.size_bytes < 10_000
    whole = large(model, "model.safetensors", broken_weights())
    found = []
    for number, change in enumerate((patch, whole)):
        head = commit(model, [change], f"refs/heads/bad-{number}")
        pull_request = propose(model, owner, head)
        gate = Run.objects.get(kind="compare", pull_request_number=pull_request.number)
        execute(gate.pk)
        record = GateRecord.objects.get(run=gate)
        assert (record.verdict, gate_line(pull_request).state) == ("fail", RequirementState.FAILED)
        (result,) = record.results
        found.append(Evaluation.objects.get(pk=result["candidate_evaluation"]))
    assert found[0].pk != found[1].pk, "the digests of the models' files are others"
    items = [read_items(model.blobs(), row.items_sha256) for row in found]
    assert items[0] == items[1]


def propose(model, author, head):
    from reviews.actions.pull_requests import open_pull_request

    opened = open_pull_request(
        model, by=author, title="Change", description="", head_oid=head, target_branch="main"
    )
    row = Discussion.objects.get(repository=model, number=opened.number)
    row.repository = model
    return row


def test_scores_are_computed_once_and_found_again(model, owner):
    head = commit(model, [large(model, "model.safetensors", broken_weights())], "refs/heads/bad")
    pull_request = propose(model, owner, head)
    first = Run.objects.get(kind="compare")
    execute(first.pk)
    count = Evaluation.objects.count()
    commit(model, [AddFile("notes.txt", b"The base moves.\n")])
    again = start_gate(model, pull_request.number, actor(owner))
    execute(again.pk)
    again.refresh_from_db()
    assert again.status == RunStatus.SUCCEEDED
    assert again.gate_record.attempt == 2
    assert again.cpu_seconds is None, "nothing ran in the sandbox"
    assert Evaluation.objects.count() == count


def test_a_change_of_text_alone_passes_without_running_anything(model):
    stranger = make_member(model.namespace, access=None)
    head = propose_commit(model, {"notes.txt": b"words\n"})
    pull_request = propose(model, stranger, head)
    gate = Run.objects.get(kind="compare")
    execute(gate.pk)
    record = GateRecord.objects.get(run=gate)
    assert (record.verdict, record.sentence["reason"]) == ("pass", "no_model_change")
    assert gate_line(pull_request).state is RequirementState.MET


def test_the_files_of_a_stranger_wait_for_a_maintainer(model, owner):
    stranger = make_member(model.namespace, access=None)
    head = propose_commit(model, {"generation_config.json": b"{}"})
    pull_request = propose(model, stranger, head)
    assert not Run.objects.exists()
    line = gate_line(pull_request)
    assert (line.state, line.action_is_post) == (RequirementState.UNMET, True)
    start_gate(model, pull_request.number, actor(owner), expected_head=head)
    assert gate_line(pull_request).state is RequirementState.RUNNING


def test_a_failed_fine_tune_says_why_and_can_be_had_again(model, owner):
    recipe = (
        b"dataset: {repo_id: %s/data, file: train.jsonl}\ncompletion: '{{nothing}}'\nmax_steps: 1"
    )
    commit_recipe(model, recipe % model.namespace.slug.encode())
    run = submit_finetune(model, actor(owner), recipe_path="recipes/spam.yaml", title="x")
    execute(run.pk)
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert 'no column "nothing"' in run.error
    assert run.log_lines.filter(text=run.error).exists()
    run.repository = model
    assert run_again(run, actor(owner)).spec["inputs"] == run.spec["inputs"]


def commit_recipe(model, content):
    from tests.factories import commit_files

    commit_files(model, {"recipes/spam.yaml": content})
