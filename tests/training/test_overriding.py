"""Letting an inconclusive change through: by whom, when, with what trace."""

from __future__ import annotations

import pytest

from hub.errors import AlreadyDecidedError, BadInputError, ConflictError, ForbiddenError
from hub.extensions import RequirementState
from hub.models import Access, AuditEntry, CommitStatus, Event, TokenScope
from reviews.actions.merging import merge_pull_request
from reviews.changes import change_of
from tests.factories import actor, make_member, make_user
from tests.reviews.factories import push
from tests.training.acting import Act, chooses, questions, set_stage
from training.actions.overriding import override_gate
from training.actions.standing import requirements, standing_of
from training.models import GateRecord

pytestmark = pytest.mark.django_db
UNDECIDED = Act(
    "words", questions(400), chooses(range(0, 60, 2), range(1, 44, 2)), rule="margin: 0.042"
)


@pytest.fixture
def stage():
    stage = set_stage(UNDECIDED)
    stage.model.access = Access.ADMIN
    return stage


@pytest.fixture
def admin(stage):
    return make_member(stage.model.namespace, access=Access.ADMIN)


def override(stage, person, reason="The items are known to be mislabelled.", **expected):
    number = stage.pull_request.number
    return override_gate(stage.model, number, actor(person), reason=reason, **expected)


def line(stage):
    (found,) = requirements(stage.model, change_of(stage.pull_request))
    return found


def test_an_override_is_written_down_everywhere_and_lets_the_merge_through(stage, admin):
    record = stage.play()
    assert (record.verdict, line(stage).state) == ("blocked", RequirementState.FAILED)
    override(stage, admin)
    record.refresh_from_db()
    assert (record.overridden_by, record.allows_merge) == (admin, True)
    assert record.override_reason == "The items are known to be mislabelled."
    found = line(stage)
    assert found.state is RequirementState.MET
    assert f"Let through by {admin.username}: The items are known" in found.detail
    entry = AuditEntry.objects.get(action="gate.override")
    assert (entry.actor_name, entry.old) == (admin.username, record.head_oid)
    assert "mislabelled" in entry.subject and stage.model.path in entry.subject
    event = Event.objects.get(kind="gate.overridden")
    assert event.data["reason"] == record.override_reason
    status = CommitStatus.objects.get(context="gate")
    assert status.state == "success" and admin.username in status.description
    assert merge_pull_request(stage.pull_request, actor(admin))


def test_the_pages_show_the_form_to_those_who_may_and_the_reason_to_all(stage, admin, client_for):
    stage.play()
    address = f"{stage.url}/benchmarks"
    for person in (None, make_user(), stage.maintainer, stage.pull_request.author):
        page = client_for(person).get(address).content.decode()
        assert "gate/override" not in page
        assert "An administrator of the repository who is not the author" in page
    page = client_for(admin).get(address).content.decode()
    card = page[page.index('id="override"') :][:2000]
    assert "gate/override" in card and "csrfmiddlewaretoken" in card
    change = change_of(stage.pull_request)
    form = {"reason": "Seen <b>and</b> agreed", "head": change.head_oid, "base": change.base_oid}
    response = client_for(admin).post(f"{stage.url}/gate/override", form)
    assert (response.status_code, response["Location"]) == (302, address)
    page = client_for().get(address).content.decode()
    assert "Seen &lt;b&gt;and&lt;/b&gt; agreed" in page and "Gate: let through" in page
    assert "gate/override" not in page
    timeline = client_for().get(stage.url).content.decode()
    assert "let this through, which the gate could not decide" in timeline
    assert "Seen &lt;b&gt;and&lt;/b&gt; agreed" in timeline


@pytest.mark.parametrize(
    ("held", "status"), [(None, 403), (Access.READ, 403), (Access.WRITE, 403), (Access.ADMIN, 200)]
)
def test_only_administrators_override(stage, api_for, held, status):
    stage.play()
    person = make_member(stage.model.namespace, access=held)
    api = api_for(person, scope=TokenScope.WRITE)
    response = api.post(f"{stage.api}/gate/override", {"reason": "ok"}, "application/json")
    assert response.status_code == status
    assert GateRecord.objects.filter(overridden_at=None).exists() == (status != 200)
    if status == 200:
        told = response.json()["override"]
        assert (told["by"], told["reason"]) == (person.username, "ok")


def test_the_author_never_overrides_even_as_an_administrator():
    author = make_user()
    stage = set_stage(UNDECIDED, author=author)
    stage.model.access = Access.ADMIN
    stage.model.namespace.memberships.create(user=author, access=Access.ADMIN)
    stage.play()
    with pytest.raises(ForbiddenError, match="their own change"):
        override(stage, author)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("pass", "nothing stands in"), ("fail", "worse than allowed"), ("error", "no verdict")],
)
def test_only_an_inconclusive_verdict_is_overridden(stage, admin, verdict, words):
    stage.play()
    GateRecord.objects.update(verdict=verdict)
    with pytest.raises(ConflictError, match=words):
        override(stage, admin)
    assert not GateRecord.objects.exclude(overridden_at=None).exists()


@pytest.mark.parametrize("reason", ["", "  \n ", "x" * 2001])
def test_a_reason_is_needed_and_bounded(stage, admin, reason):
    stage.play()
    with pytest.raises(BadInputError):
        override(stage, admin, reason=reason)


def test_it_holds_for_exactly_this_head_and_base(stage, admin):
    stage.play()
    with pytest.raises(ConflictError, match="has changed since"):
        override(stage, admin, expected_head="0" * 40)
    with pytest.raises(ConflictError, match="has changed since"):
        override(stage, admin, expected_base="0" * 40)
    override(stage, admin, expected_head=stage.pull_request.head_oid)
    push(stage.pull_request, {"config.json": b'{"later": 1}'})
    assert line(stage).state is RequirementState.STALE
    with pytest.raises(ConflictError, match="has not weighed exactly this version"):
        override(stage, admin)


def test_it_is_done_once_and_not_behind_a_later_weighing(stage, admin):
    stage.play()
    override(stage, admin)
    with pytest.raises(AlreadyDecidedError):
        override(stage, admin)
    assert AuditEntry.objects.filter(action="gate.override").count() == 1
    first = GateRecord.objects.get()
    assert stage.play().pk == first.pk, "the same version is not weighed again"
    GateRecord.objects.create(
        repository=stage.model,
        pull_request_number=first.pull_request_number,
        attempt=first.attempt + 1,
        verdict="blocked",
        results=first.results,
        run=_another_run(stage),
        **{name: getattr(first, name) for name in _EXACT},
    )
    standing = standing_of(stage.model, change_of(stage.pull_request))
    assert standing.record.attempt == 2, "the newest verdict counts, not the one let through"
    assert line(stage).state is RequirementState.FAILED


def test_a_record_that_was_weighed_again_meanwhile_stays_as_it_is(stage, admin, monkeypatch):
    """Between reading and writing another weighing is recorded: the update finds nothing."""
    record = stage.play()
    from training.actions import overriding

    def weighed_meanwhile(*args):
        standing = standing_of(*args)
        GateRecord.objects.create(
            repository=stage.model,
            pull_request_number=record.pull_request_number,
            attempt=record.attempt + 1,
            verdict="fail",
            run=_another_run(stage),
            **{name: getattr(record, name) for name in _EXACT},
        )
        return standing

    monkeypatch.setattr(overriding, "standing_of", weighed_meanwhile)
    with pytest.raises(AlreadyDecidedError):
        override(stage, admin)
    assert not GateRecord.objects.exclude(overridden_at=None).exists()
    assert not AuditEntry.objects.filter(action="gate.override").exists()


_EXACT = ("head_oid", "base_oid", "merge_tree", "config_digest")


def _another_run(stage):
    from tests.training.factories import make_run

    return make_run(
        stage.model, kind="compare", status="succeeded", finished_at="2026-01-01T00:00Z"
    )
