"""What people could try around runs and the gate (threats D6, J2, J3, J5, M3, M5)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from hub.errors import BadInputError, ConflictError, GatedRepositoryError, HubError
from hub.extensions import RequirementState
from hub.gitstore import AddFile
from hub.models import Access, Membership, Repository, Visibility
from hub.policies import Actor, get_repository
from reviews.actions.merging import merge_pull_request
from reviews.actions.requirements import checklist
from tests.factories import make_organization, make_user
from tests.reviews.factories import make_maintainer, make_pull_request
from tests.training.factories import (
    GATE,
    broken_weights,
    commit,
    large,
    make_data,
    make_model,
    make_run,
)
from training.actions.gate_rules import rule_at
from training.actions.gates import start_gate
from training.actions.runs import submit_finetune
from training.jobs import execute as execution
from training.jobs import sweep
from training.jobs.errors import RunFailedError
from training.jobs.execute import execute
from training.jobs.scoring import Scoring
from training.jobs.workspace import Workspace
from training.models import Benchmark, Run, RunStatus
from training.policies import may_read_items

pytestmark = pytest.mark.django_db


def as_seen(repository: Repository, user: Any) -> Repository:
    """The repository as `user` fetches it."""
    from hub.models import RepoId

    return get_repository(Actor(user), RepoId(repository.kind, *repository.repo_id.split("/")))


def ended(run: Run) -> Run:
    execute(run.pk)
    run.refresh_from_db()
    return run


@pytest.fixture
def model() -> Repository:
    return make_model()


@pytest.fixture
def owner(model) -> Any:
    return make_maintainer(model, Access.ADMIN)


# What a run may read -------------------------------------------------------------------------


def test_a_waiting_run_does_not_read_data_that_became_private(model, owner):
    """Asked again when it starts, for every input."""
    data = make_data(make_organization(), name="theirs")
    run = submit_finetune(
        as_seen(model, owner),
        Actor(owner),
        recipe={
            "dataset": {"repo_id": data.repo_id, "file": "train.jsonl"},
            "completion": "{{label}}",
            "max_steps": 1,
            "lora": {"r": 4},
        },
        title="Read theirs",
    )
    Repository.objects.filter(pk=data.pk).update(visibility=Visibility.PRIVATE)
    run = ended(run)
    assert run.status == RunStatus.FAILED
    assert "may no longer" in run.error


def test_a_gate_that_was_started_by_who_lost_access_runs_no_file(model):
    maintainer = make_maintainer(model)
    pull_request = make_pull_request(model)
    commit(model, [large(model, "model.safetensors", broken_weights())], ref=pull_request.ref)
    from reviews.jobs.pushes import record_push

    record_push(model, pull_request.number, by=pull_request.author)
    run = start_gate(as_seen(model, maintainer), pull_request.number, Actor(maintainer))
    Membership.objects.filter(user=maintainer).update(access=Access.READ)
    Membership.objects.filter(user=maintainer, namespace__owner=maintainer).update(
        access=Access.ADMIN
    )
    run = ended(run)
    assert (run.status, "may no longer" in run.error) == (RunStatus.FAILED, True)


def test_gated_data_are_for_members_in_runs_too(model, owner):
    data = make_data(make_organization(), name="gated")
    Repository.objects.filter(pk=data.pk).update(gated="manual")
    with pytest.raises(GatedRepositoryError):
        submit_finetune(
            as_seen(model, owner),
            Actor(owner),
            recipe={
                "dataset": {"repo_id": data.repo_id, "file": "train.jsonl"},
                "completion": "{{label}}",
                "max_steps": 1,
                "lora": {"r": 4},
            },
            title="Read theirs",
        )
    assert not may_read_items(Actor(owner), data.pk)


def test_a_gated_model_is_fine_tuned_by_members(model, owner):
    Repository.objects.filter(pk=model.pk).update(gated="manual")
    stranger = make_user()
    with pytest.raises(GatedRepositoryError):
        submit_finetune(as_seen(model, stranger), Actor(stranger), recipe_path="recipes/spam.yaml")
    submit_finetune(as_seen(model, owner), Actor(owner), recipe_path="recipes/spam.yaml")


def test_a_run_shows_no_definition_of_a_benchmark_that_its_reader_may_not_see(
    model, owner, api_for
):
    pull_request = make_pull_request(model)
    commit(model, [large(model, "model.safetensors", broken_weights())], ref=pull_request.ref)
    from reviews.jobs.pushes import record_push

    record_push(model, pull_request.number, by=pull_request.author)
    data = Repository.objects.get(namespace=model.namespace, kind="dataset")
    Repository.objects.filter(pk=data.pk).update(visibility=Visibility.PRIVATE)
    run = start_gate(as_seen(model, owner), pull_request.number, Actor(owner))
    url = f"/{model.api_path}/runs/{run.number}"
    assert "And all of" in api_for(owner).get(url).content.decode()
    told = api_for(make_user()).get(url).content.decode()
    assert "And all of" not in told
    assert "test.jsonl" not in told
    page = api_for(make_user()).get(f"/{model.path}/runs/{run.number}").content.decode()
    assert "test.jsonl" not in page


# The gate's rule -----------------------------------------------------------------------------


def test_a_change_of_the_rule_comes_alone(model, owner):
    lenient = (GATE.replace("REPO", "o/data") + "alpha: 0.25\n").encode()
    both = make_pull_request(model, files={".weighbridge/gate.yaml": lenient, "notes.txt": b"x\n"})
    alone = make_pull_request(model, files={".weighbridge/gate.yaml": lenient})
    lines = {line.key: line for line in checklist(both).lines}
    assert lines["gate-rule"].state == RequirementState.FAILED
    with pytest.raises(ConflictError, match="alone"):
        merge_pull_request(both, Actor(owner))
    (line,) = (line for line in checklist(alone).lines if line.key == "gate-rule")
    assert line.state == RequirementState.MET and "alpha – → 0.25" in line.detail


def test_a_rule_that_is_too_large_to_read_is_no_missing_rule(model, owner):
    head = commit(model, [AddFile(".weighbridge/gate.yaml", b"#" * 70_000)])
    assert rule_at(model, head) is not None
    pull_request = make_pull_request(model)
    commit(model, [large(model, "model.safetensors", broken_weights())], ref=pull_request.ref)
    from reviews.jobs.pushes import record_push

    record_push(model, pull_request.number, by=pull_request.author)
    with pytest.raises(ConflictError, match="Benchmarks"):
        merge_pull_request(pull_request, Actor(owner))
    with pytest.raises(HubError, match=r"gate\.yaml"):
        start_gate(as_seen(model, owner), pull_request.number, Actor(owner))


def test_an_adapter_that_loads_another_base_is_not_weighed(model, owner):
    """transformers follows `base_model_name_or_path`: what is weighed must be what is loaded."""
    config = {"peft_type": "LORA", "base_model_name_or_path": "mallory/evil"}
    pull_request = make_pull_request(
        model, files={"adapter_config.json": json.dumps(config).encode()}
    )
    with pytest.raises(BadInputError, match="base_model_name_or_path"):
        start_gate(as_seen(model, owner), pull_request.number, Actor(owner))


def test_weights_that_cannot_be_weighed_are_not_passed_as_no_change(model, owner):
    pull_request = make_pull_request(model, files={"pytorch_model.bin": b"\x80\x04N."})
    run = ended(start_gate(as_seen(model, owner), pull_request.number, Actor(owner)))
    assert "No model file changed" not in run.result["sentence"]
    assert "Not weighed: " in run.result["sentence"]
    assert run.gate_record.sentence["unweighed"] == ["pytorch_model.bin"]


# What a run leaves ---------------------------------------------------------------------------


def test_a_worker_that_was_late_removes_nothing_of_its_successor(monkeypatch):
    run = make_run()
    places = []

    def stall(lease: Any, workspace: Workspace, recorder: Any) -> None:
        Run.objects.filter(pk=run.pk).update(fence=99)
        successor = Workspace(Run.objects.get(pk=run.pk))
        successor.prepare()
        places.append(successor.folder)
        raise RunFailedError("Too late.")

    monkeypatch.setitem(execution.JOBS, "finetune", stall)
    execute(run.pk)
    assert places[0].is_dir()


def test_an_error_that_the_database_cannot_keep_ends_the_run(monkeypatch):
    def fail(*_: Any) -> None:
        raise RunFailedError("There is no column 'x'; the columns are a\0b.")

    monkeypatch.setitem(execution.JOBS, "finetune", fail)
    run = ended(make_run())
    assert run.status == RunStatus.FAILED
    assert "columns are ab" in run.error


def test_questions_are_not_read_through_a_link(tmp_path):
    run = make_run()
    workspace = Workspace(run)
    workspace.prepare()
    (workspace.items / "base").mkdir()
    (workspace.items / "base" / "x.jsonl").write_text("")
    elsewhere = tmp_path / "of another run"
    elsewhere.mkdir()
    (elsewhere / "questions-x.jsonl").write_text('{"id": "1", "prompt": "hidden"}\n')
    workspace.result.symlink_to(elsewhere)
    scoring = Scoring(
        lease=type("L", (), {"run": run})(),  # type: ignore[arg-type]
        workspace=workspace,
        recorder=None,  # type: ignore[arg-type]
        sides=[],
        asked=[type("A", (), {"key": "x", "row": Benchmark()})()],  # type: ignore[list-item]
        stages=[{"x": 0}],
        settings={},
    )
    with pytest.raises(HubError):
        scoring._keep_questions()


def test_checkpoints_are_not_taken_through_a_link(tmp_path):
    run = make_run(fence=1)
    first = Workspace(run)
    first.prepare()
    elsewhere = tmp_path / "of another run"
    (elsewhere / "checkpoint-5").mkdir(parents=True)
    (first.out / "checkpoints").symlink_to(elsewhere)
    run.fence = 2
    assert Workspace(run).prepare() is None


def test_nothing_stays_of_a_run_that_ended_without_its_worker(settings):
    """The inputs of a run may be private, and its repository may be gone."""
    live, ended_run, gone = make_run(), make_run(), make_run()
    folders = [Workspace(run).folder for run in (live, ended_run, gone)]
    for folder in folders:
        folder.mkdir(parents=True)
    Run.objects.filter(pk=ended_run.pk).update(
        status=RunStatus.CANCELLED, finished_at=timezone.now()
    )
    gone.delete()
    sweep.remove_left_folders()
    assert [folder.is_dir() for folder in folders] == [True, False, False]
