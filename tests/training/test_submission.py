"""What a run is made of when it is asked for, and what is refused then."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from hub.errors import (
    BadInputError,
    ConflictError,
    EntryNotFoundError,
    ForbiddenError,
    HubError,
    NotFoundError,
    RepositoryNotFoundError,
    ThrottledError,
    UnauthenticatedError,
)
from hub.models import Access, Kind, Visibility
from tests.factories import (
    actor,
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_user,
)
from tests.reviews.factories import make_pull_request, push
from tests.training.factories import TINY, make_model
from training.actions.gates import start_gate
from training.actions.runs import cancel_run, recipe_paths, submit_finetune
from training.models import Run
from training.specs.schema import digest_of
from training.tasks import execute_run

pytestmark = pytest.mark.django_db
VALUES: dict[str, Any] = {"completion": "{{label}}", "max_steps": 2}


@pytest.fixture
def model():
    model = make_model()
    model.access = Access.READ
    return model


def data_of(model) -> dict[str, str]:
    return {"repo_id": f"{model.namespace.slug}/data", "file": "train.jsonl"}


def test_every_input_is_pinned_by_digest(model):
    user = make_user()
    run = submit_finetune(model, actor(user), recipe_path="recipes/spam.yaml", title="Spot spam")
    (base,) = run.inputs("model")
    weights = next(f for f in base["files"] if f["path"] == "model.safetensors")
    assert (
        weights["sha256"] == hashlib.sha256((TINY / "model.safetensors").read_bytes()).hexdigest()
    )
    assert base["commit"] == model.store().resolve("main")
    assert {f["path"] for f in base["files"]} >= {"config.json", "tokenizer.json"}
    assert "README.md" not in {f["path"] for f in base["files"]}
    assert run.inputs("data")[0]["files"][0]["path"] == "train.jsonl"
    assert set(run.spec["versions"]) >= {"torch", "transformers", "peft"}
    assert run.spec_digest == digest_of(run.spec)
    assert (run.number, run.status, run.created_by) == (1, "queued", user)


def test_what_moves_later_does_not_change_the_run(model):
    first = submit_finetune(model, actor(make_user()), recipe_path="recipes/spam.yaml")
    commit_files(model, {"notes.txt": b"later"})
    Run.objects.get(pk=first.pk)
    second = submit_finetune(model, actor(make_user()), recipe_path="recipes/spam.yaml")
    assert first.inputs("model")[0]["commit"] != second.inputs("model")[0]["commit"]
    assert first.inputs("model")[0]["digest"] == second.inputs("model")[0]["digest"]
    assert second.number == 2


def test_the_bell_rings_once_the_row_is_committed(
    model, monkeypatch, django_capture_on_commit_callbacks
):
    rung = []
    monkeypatch.setattr(execute_run, "delay", rung.append)
    with django_capture_on_commit_callbacks(execute=True):
        run = submit_finetune(model, actor(make_user()), recipe_path="recipes/spam.yaml")
        assert rung == []
    assert rung == [run.pk]


def test_a_recipe_from_a_form_is_kept_as_a_file_of_the_result(model):
    recipe = {**VALUES, "dataset": data_of(model)}
    run = submit_finetune(model, actor(make_user()), recipe=recipe, title="Spot the spam!")
    assert run.spec["recipe_path"] == "recipes/spot-the-spam.yaml"
    assert "completion: " in run.spec["recipe_text"]
    assert recipe_paths(model) == ["recipes/spam.yaml"], "nothing is committed to main"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"learning_rat": 1}, BadInputError, "Did you mean 'learning_rate'?"),
        ({"max_steps": -1}, BadInputError, "max_steps"),
        ({"dataset": {"repo_id": "no/where", "file": "a"}}, RepositoryNotFoundError, "no/where"),
        ({"base": {"repo_id": "some/other"}}, BadInputError, "own page"),
        ({"completion": "{{ x"}, BadInputError, "template"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_refused_in_one_sentence(model, change, error, words):
    recipe = {**VALUES, "dataset": data_of(model), **change}
    with pytest.raises(error, match=words.replace("?", r"\?")):
        submit_finetune(model, actor(make_user()), recipe=recipe, title="x")
    assert not Run.objects.exists()


def test_a_missing_file_or_recipe_is_named(model):
    missing = {**VALUES, "dataset": data_of(model) | {"file": "no.jsonl"}}
    with pytest.raises(EntryNotFoundError, match=r"no file no\.jsonl"):
        submit_finetune(model, actor(make_user()), recipe=missing, title="x")
    with pytest.raises(EntryNotFoundError, match=r"recipes are: recipes/spam\.yaml"):
        submit_finetune(model, actor(make_user()), recipe_path="recipes/no.yaml")


def test_private_data_are_read_only_for_those_who_see_them(model):
    private = make_repository(
        make_organization(),
        kind=Kind.DATASET,
        visibility=Visibility.PRIVATE,
        files={"train.jsonl": b'{"label": "a"}\n'},
    )
    recipe = {**VALUES, "dataset": {"repo_id": private.repo_id, "file": "train.jsonl"}}
    with pytest.raises(RepositoryNotFoundError):
        submit_finetune(model, actor(make_user()), recipe=recipe, title="x")
    insider = make_member(private.namespace, access=Access.READ)
    assert submit_finetune(model, actor(insider), recipe=recipe, title="x").number == 1


def test_a_person_may_have_so_many_waiting_and_no_more(model, settings):
    settings.RUN_QUEUED_LIMIT_PER_USER = 2
    user = make_user()
    for _ in range(2):
        submit_finetune(model, actor(user), recipe_path="recipes/spam.yaml")
    with pytest.raises(ThrottledError):
        submit_finetune(model, actor(user), recipe_path="recipes/spam.yaml")
    assert submit_finetune(model, actor(make_user()), recipe_path="recipes/spam.yaml").number == 3


def test_nobody_starts_or_stops_without_the_right(model):
    with pytest.raises(UnauthenticatedError):
        submit_finetune(model, actor(), recipe_path="recipes/spam.yaml")
    run = submit_finetune(model, actor(make_user()), recipe_path="recipes/spam.yaml")
    run.repository = model
    with pytest.raises(ForbiddenError):
        cancel_run(run, actor(make_user()))
    with pytest.raises(UnauthenticatedError):
        cancel_run(run, actor())
    model.access = Access.WRITE
    cancel_run(run, actor(make_user()))
    with pytest.raises(ConflictError):
        cancel_run(run, actor(run.created_by))


def gate_of(model, pull_request) -> Run:
    model.access = Access.WRITE
    return start_gate(model, pull_request.number, actor(make_user()))


def test_the_gate_reads_its_rule_from_the_base_and_never_from_the_proposal(model):
    store = model.store()
    rule = store.read(store.resolve("main"), ".weighbridge/gate.yaml", limit_bytes=1 << 16)
    easier = rule.replace(b"margin: 0.2", b"margin: 0.5")
    files = {".weighbridge/gate.yaml": easier, "config.json": b'{"changed": 1}'}
    run = gate_of(model, make_pull_request(model, files=files))
    assert run.spec["gate"]["text"].encode() == rule
    assert run.spec["gate"]["digest"] == hashlib.sha256(rule).hexdigest()
    (benchmark,) = run.spec["benchmarks"]
    assert (benchmark["metric"], benchmark["key"]) == ("acc", "next-word")
    assert {given["role"] for given in run.spec["inputs"]} == {
        "base",
        "candidate",
        "benchmark",
        "items",
    }


def test_one_gate_at_a_time_weighs_one_version(model):
    pull_request = make_pull_request(model, files={"config.json": b"{}"})
    run = gate_of(model, pull_request)
    assert gate_of(model, pull_request).pk == run.pk
    push(pull_request, {"config.json": b'{"a": 1}'})
    assert gate_of(model, pull_request).pk != run.pk


def test_a_gate_that_cannot_start_says_why(model):
    other = make_repository()
    other.access = Access.WRITE
    pull_request = make_pull_request(other)
    with pytest.raises(ConflictError, match=r"no \.weighbridge/gate\.yaml"):
        start_gate(other, pull_request.number, actor(make_user()))
    with pytest.raises(NotFoundError):
        start_gate(other, 99, actor(make_user()))
    commit_files(model, {".weighbridge/gate.yaml": b"benchmarks: [{benchmark: x, margin: 1}]"})
    broken = make_pull_request(model, files={"config.json": b"{}"})
    with pytest.raises(HubError, match="benchmarks"):
        gate_of(model, broken)


def test_a_changed_head_needs_a_new_word(model):
    pull_request = make_pull_request(model, files={"config.json": b"{}"})
    seen = pull_request.head_oid
    push(pull_request, {"config.json": b'{"a": 1}'})
    model.access = Access.WRITE
    with pytest.raises(ConflictError, match="changed since"):
        start_gate(model, pull_request.number, actor(make_user()), expected_head=seen)
    model.access = Access.READ
    with pytest.raises(ForbiddenError):
        start_gate(model, pull_request.number, actor(make_user()))
