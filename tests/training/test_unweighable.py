"""Weights and code that the gate cannot load are never let through as if they had been weighed."""

from __future__ import annotations

import pytest

from hub.errors import ConflictError
from hub.extensions import RequirementState
from hub.models import Access, Repository
from reviews.actions.merging import merge_pull_request
from reviews.actions.requirements import checklist
from reviews.jobs.pushes import record_push
from tests.factories import actor, commit_files, make_member, make_repository
from tests.reviews.factories import make_pull_request
from tests.training.acting import Act, chooses, questions, set_stage
from tests.training.factories import GATE, commit, large, make_data, make_model
from training.actions.gates import start_gate
from training.actions.overriding import override_gate
from training.jobs.execute import execute

pytestmark = pytest.mark.django_db


def admin_of(model: Repository):
    model.access = Access.ADMIN
    return make_member(model.namespace, access=Access.ADMIN)


def weighed(model: Repository, pull_request, admin):
    run = start_gate(model, pull_request.number, actor(admin))
    execute(run.pk)
    run.refresh_from_db()
    assert not run.error, run.error
    return run.gate_record


def gate_line(pull_request):
    return next(line for line in checklist(pull_request).lines if line.key == "gate")


@pytest.mark.parametrize(
    "path",
    [
        "pytorch_model.bin", "model-q4.gguf", "PYTORCH_MODEL.BIN", "weights/model.pt",
        "modeling_llama.py", "onnx/model.onnx", "fp16/model.safetensors", "spiece.model",
        "tf_model.h5", "additional_chat_templates/tools.jinja",
    ],
)  # fmt: skip
def test_what_the_gate_cannot_load_waits_for_a_person(path):
    model = make_model()
    admin = admin_of(model)
    pull_request = make_pull_request(model, files={path: b"\x80\x04N."})
    record = weighed(model, pull_request, admin)
    assert (record.verdict, record.sentence["reason"]) == ("blocked", "not_weighable")
    line = gate_line(pull_request)
    assert line.state is RequirementState.FAILED and path in line.detail
    with pytest.raises(ConflictError, match="Benchmarks"):
        merge_pull_request(pull_request, actor(admin))
    override_gate(model, pull_request.number, actor(admin), reason="Converted by me: same digest.")
    assert gate_line(pull_request).state is RequirementState.MET


def test_a_large_file_of_an_unknown_kind_may_be_weights():
    model = make_model()
    pull_request = make_pull_request(model, files={"notes.txt": b"words"})
    commit(model, [large(model, "blob.dat", b"x" * 100)], ref=pull_request.ref)
    record_push(model, pull_request.number, by=pull_request.author)
    assert weighed(model, pull_request, admin_of(model)).verdict == "blocked"


@pytest.mark.parametrize("path", ["README.md", "notes.txt", "recipes/other.yaml", "plot.png"])
def test_words_and_pictures_pass(path):
    model = make_model()
    pull_request = make_pull_request(model, files={path: b"more"})
    assert weighed(model, pull_request, admin_of(model)).verdict == "pass"


def test_a_configuration_that_goes_with_weights_nobody_can_load_is_not_weighed():
    files = {"config.json": b"{}", "pytorch_model.bin": b"weights"}
    model = make_repository(files=files)
    data = make_data(model.namespace)
    commit_files(model, {".weighbridge/gate.yaml": GATE.replace("REPO", data.repo_id).encode()})
    pull_request = make_pull_request(model, files={"config.json": b'{"rope_theta": 1}'})
    record = weighed(model, pull_request, admin_of(model))
    assert (record.verdict, record.sentence["unweighed"]) == ("blocked", ["config.json"])


def test_what_passes_beside_weights_that_were_not_loaded_is_no_pass(client_for):
    files = {"model.safetensors": b"better", "pytorch_model.bin": b"worse"}
    stage = set_stage(Act("words", questions(300), chooses()), files=files)
    record = stage.play()
    assert (record.results[0]["verdict"], record.verdict) == ("pass", "blocked")
    line = gate_line(stage.pull_request)
    assert line.state is RequirementState.FAILED
    assert "Weighed in part: pytorch_model.bin changed too" in line.detail
    assert "Weighed in part" in client_for().get(f"{stage.url}/benchmarks").content.decode()
