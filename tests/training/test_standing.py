"""The gate's line of the checklist: a verdict counts for exactly what it weighed."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.utils import timezone

from hub.extensions import RequirementState
from hub.models import BranchProtection
from reviews.changes import change_of
from tests.factories import commit_files, make_repository
from tests.reviews.factories import make_pull_request, push
from tests.training.factories import make_model, make_run
from training.actions.scores import merge_files
from training.actions.standing import requirements, verdict
from training.models import GateRecord, Run, RunKind, RunStatus

pytestmark = pytest.mark.django_db
STATE = RequirementState


@pytest.fixture
def pull_request():
    return make_pull_request(make_model(), files={"generation_config.json": b"{}"})


def gate_run(pull_request, status=RunStatus.SUCCEEDED, **values) -> Run:
    change = change_of(pull_request)
    spec = {
        "inputs": [],
        "change": {"head_oid": change.head_oid, "base_oid": change.base_oid},
    }
    if status == RunStatus.RUNNING:
        values["lease_ends_at"] = timezone.now() + timedelta(minutes=1)
    elif status != RunStatus.QUEUED:
        values["finished_at"] = timezone.now()
    return make_run(
        pull_request.repository,
        kind=RunKind.COMPARE,
        status=status,
        spec=spec,
        pull_request_number=pull_request.number,
        **values,
    )


def record(pull_request, verdict="pass", **values) -> GateRecord:
    change = change_of(pull_request)
    store = pull_request.repository.store()
    rule = store.read(change.base_oid, ".weighbridge/gate.yaml", limit_bytes=1 << 16)
    exact = {
        "head_oid": change.head_oid,
        "base_oid": change.base_oid,
        "merge_tree": change.merge_tree,
        "config_digest": hashlib.sha256(rule).hexdigest(),
    }
    earlier = GateRecord.objects.of(pull_request.repository_id, pull_request.number).count()
    return GateRecord.objects.create(
        repository=pull_request.repository,
        pull_request_number=pull_request.number,
        attempt=earlier + 1,
        verdict=verdict,
        run=gate_run(pull_request),
        sentence={"reason": "no_model_change"} if verdict == "pass" else {},
        **exact | values,
    )


def line(pull_request):
    (found,) = requirements(pull_request.repository, change_of(pull_request))
    return found


def test_not_run_is_unmet_with_the_button_that_starts_it(pull_request):
    found = line(pull_request)
    assert (found.state, found.action_is_post) == (STATE.UNMET, True)
    assert found.action_path.endswith(f"/gate?head={pull_request.head_oid}")
    assert verdict(pull_request.repository, change_of(pull_request))["state"] == "not-run"


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
def test_a_live_run_is_running(pull_request, status):
    run = gate_run(pull_request, status, progress={"done": 3, "total": 9})
    found = line(pull_request)
    assert (found.state, found.action_path) == (STATE.RUNNING, run.get_absolute_url())


def test_a_pass_on_exactly_this_is_met(pull_request):
    record(pull_request)
    assert line(pull_request).state is STATE.MET
    banner = verdict(pull_request.repository, change_of(pull_request))
    assert banner["state"] == "pass"


@pytest.mark.parametrize("word", ["fail", "blocked", "error"])
def test_any_other_verdict_blocks(pull_request, word):
    own = "inconclusive" if word == "blocked" else word
    result = {"label_text": "BLiMP", "verdict": own, "reason": "no_items", "role": "guard"}
    numbers = {"delta": -0.1, "lower": -0.2, "upper": -0.08, "margin": 0.05, "alpha": 0.05}
    record(pull_request, word, results=[result | numbers])
    found = line(pull_request)
    assert found.state is STATE.FAILED
    assert "BLiMP" in found.detail


@pytest.mark.parametrize("field", ["head_oid", "base_oid", "merge_tree", "config_digest"])
def test_a_pass_on_anything_else_is_stale(pull_request, field):
    size = 64 if field == "config_digest" else 40
    record(pull_request, **{field: "0" * size})
    assert line(pull_request).state is STATE.STALE


def test_a_push_or_a_moved_base_makes_the_verdict_stale(pull_request):
    record(pull_request)
    push(pull_request, {"notes.txt": b"more"})
    assert line(pull_request).state is STATE.STALE
    record(pull_request)
    assert line(pull_request).state is STATE.MET
    commit_files(pull_request.repository, {"other.txt": b"base moves"})
    assert line(pull_request).state is STATE.STALE
    assert merge_files(pull_request.repository, change_of(pull_request)) == {}


def test_a_run_that_failed_is_told_with_its_reason(pull_request):
    gate_run(pull_request, RunStatus.FAILED, error="The disk is full.")
    found = line(pull_request)
    assert (found.state, found.action_is_post) == (STATE.FAILED, True)
    assert "The disk is full." in found.detail


def test_a_branch_without_a_rule_has_no_line():
    pull_request = make_pull_request(make_repository())
    change = change_of(pull_request)
    assert list(requirements(pull_request.repository, change)) == []
    assert verdict(pull_request.repository, change) is None


def test_a_protection_can_do_without_the_gate(pull_request):
    BranchProtection.objects.create(
        repository=pull_request.repository, branch="main", require_gate=False
    )
    assert list(requirements(pull_request.repository, change_of(pull_request))) == []


def test_a_conflict_comes_before_the_gate(pull_request):
    commit_files(pull_request.repository, {"generation_config.json": b'{"other": 1}'})
    assert change_of(pull_request).merge_tree is None
    found = line(pull_request)
    assert (found.state, found.action_path) == (STATE.UNMET, "")
