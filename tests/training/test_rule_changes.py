"""Proposals that change what proposals are judged by: told in words, never a plain pass."""

from __future__ import annotations

import pytest

from hub.errors import ConflictError, ForbiddenError
from hub.extensions import RequirementState
from hub.gitstore import DeleteFile
from hub.models import Access, BranchProtection, Kind, Repository
from reviews.actions.merging import merge_pull_request
from reviews.actions.requirements import checklist
from reviews.changes import change_of
from reviews.jobs.pushes import record_push
from reviews.models import Discussion
from tests.factories import actor, commit_files, make_member, make_repository
from tests.reviews.factories import make_maintainer, make_pull_request
from tests.training.factories import commit, make_data
from training.actions.gates import start_gate
from training.actions.overriding import override_gate
from training.actions.standing import verdict
from training.jobs.execute import execute
from training.models import GateRecord

pytestmark = pytest.mark.django_db
RULE = ".weighbridge/gate.yaml"
TEXT = "alpha: 0.05\nbenchmarks:\n  - {benchmark: 'REPO:benchmark.yaml', margin: 0.2}\n"


@pytest.fixture
def model() -> Repository:
    model = make_repository(files={"config.json": b"{}"})
    data = make_data(model.namespace)
    commit_files(model, {RULE: TEXT.replace("REPO", data.repo_id).encode()})
    model.access = Access.ADMIN
    return model


@pytest.fixture
def admin(model):
    return make_member(model.namespace, access=Access.ADMIN)


def rule_of(model: Repository) -> str:
    store = model.store()
    return store.read(store.resolve("main"), RULE, limit_bytes=1 << 16).decode()


def proposed(model: Repository, text: str | None) -> Discussion:
    """A proposal whose only change is that the rule says `text`, or is gone."""
    if text is not None:
        return make_pull_request(model, files={RULE: text.encode()})
    pull_request = make_pull_request(model, files={RULE: b"# soon gone\n"})
    commit(model, [DeleteFile(RULE)], ref=pull_request.ref)
    record_push(model, pull_request.number, by=pull_request.author)
    pull_request.refresh_from_db(fields=["head_oid"])
    return pull_request


def weigh(model: Repository, pull_request: Discussion, admin) -> GateRecord:
    run = start_gate(model, pull_request.number, actor(admin))
    execute(run.pk)
    run.refresh_from_db()
    assert not run.error, run.error
    return run.gate_record


def lines(pull_request: Discussion) -> dict:
    return {line.key: line for line in checklist(pull_request).lines}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(None, "is deleted", id="deleted"),
        pytest.param("benchmarks: [\n", "cannot be read", id="no YAML"),
        pytest.param("alpha: 3\n", "cannot be read", id="no rule"),
    ],
)
def test_a_rule_that_is_deleted_or_unreadable_waits_for_an_administrators_word(
    model, admin, text, words
):
    pull_request = proposed(model, text)
    record = weigh(model, pull_request, admin)
    assert record.verdict == "blocked"
    found = lines(pull_request)
    assert [found[key].state for key in ("gate", "gate-rule")] == [RequirementState.FAILED] * 2
    assert words in found["gate-rule"].detail and words in found["gate"].detail
    with pytest.raises(ConflictError, match="Gate rule"):
        merge_pull_request(pull_request, actor(admin))
    with pytest.raises(ForbiddenError):
        override_gate(model, pull_request.number, actor(pull_request.author), reason="me")
    override_gate(model, pull_request.number, actor(admin), reason="We stop weighing here.")
    found = lines(pull_request)
    assert "We stop weighing here." in found["gate-rule"].detail
    assert merge_pull_request(pull_request, actor(admin))


def test_what_gets_weaker_is_named_and_is_no_plain_pass(model, admin, client_for):
    weak = rule_of(model).replace("0.05", "0.2").replace("0.2}", "0.9}") + "contamination: false\n"
    pull_request = proposed(model, weak)
    record = weigh(model, pull_request, admin)
    line = lines(pull_request)["gate-rule"]
    assert line.state is RequirementState.MET
    assert "Weaker: alpha 0.05 → 0.2; contamination true → false; " in line.detail
    assert "margin 0.2 → 0.9" in line.detail
    banner = verdict(model, change_of(pull_request))
    assert (record.verdict, banner["state"]) == ("pass", "wait")
    page = client_for().get(change_of(pull_request).path).content.decode()
    assert "Gate: pass" not in page and "Gate: the rule changes" in page
    assert "alpha 0.05 → 0.2" in page
    assert merge_pull_request(pull_request, actor(admin))


def test_a_rule_that_says_the_same_in_other_words_is_told_so(model):
    pull_request = proposed(model, "# our rule\n" + rule_of(model))
    assert "asks for the same" in lines(pull_request)["gate-rule"].detail


def test_a_rule_that_mends_one_that_cannot_be_read_may_merge(model, admin):
    good = rule_of(model)
    commit_files(model, {RULE: b"benchmarks: [\n"})
    pull_request = proposed(model, good)
    assert weigh(model, pull_request, admin).verdict == "pass"
    assert "is asked too" in lines(pull_request)["gate-rule"].detail
    assert merge_pull_request(pull_request, actor(admin))


# A branch that wants its gate met and has no rule ---------------------------------------------


def test_a_protected_branch_without_a_rule_merges_nothing_but_its_first_rule(model):
    rule = rule_of(model)
    bare = make_repository(model.namespace, files={"config.json": b"{}"})
    BranchProtection.objects.create(repository=bare, branch="main", required_approvals=0)
    changed = make_pull_request(bare, files={"config.json": b'{"changed": 1}'})
    maintainer = make_maintainer(bare)
    line = lines(changed)["gate"]
    assert (line.label, line.state) == ("Benchmarks", RequirementState.FAILED)
    assert "has no rule: write one" in line.detail
    assert line.action_path.endswith("/settings/gate?branch=main")
    with pytest.raises(ConflictError, match="Benchmarks"):
        merge_pull_request(changed, actor(maintainer))
    broken = make_pull_request(bare, files={RULE: b"benchmarks: [\n"})
    assert lines(broken)["gate-rule"].state is RequirementState.FAILED
    first = make_pull_request(bare, files={RULE: rule.encode()})
    assert "The first rule of this branch." in lines(first)["gate-rule"].detail
    assert merge_pull_request(first, actor(maintainer))


@pytest.mark.parametrize(
    ("kind", "protected", "wanted"),
    [(Kind.MODEL, True, False), (Kind.DATASET, True, True), (Kind.MODEL, False, True)],
)
def test_nobody_else_is_asked_for_a_rule(kind, protected, wanted):
    bare = make_repository(kind=kind)
    if protected:
        BranchProtection.objects.create(repository=bare, branch="main", require_gate=wanted)
    assert "gate" not in lines(make_pull_request(bare))
