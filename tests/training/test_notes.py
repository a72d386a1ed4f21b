"""Remarks on single items: comments, acceptances, and whom they reach."""

from __future__ import annotations

import json

import pytest

from hub.errors import BadInputError, ForbiddenError, NotFoundError, UnauthenticatedError
from hub.models import Access, Event, Kind, TokenScope, Visibility
from tests.factories import actor, make_member, make_organization, make_repository, make_user
from tests.training.acting import Act, chooses, questions, set_stage
from training.actions.examples import Query, find_examples
from training.actions.notes import accept_item, comment_on_item, remove_note
from training.models import GateRecord, ItemNote

pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.fixture
def stage():
    stage = set_stage(Act("words", questions(300), chooses({1, 2}, {3})), gate="looks: 1\n")
    stage.play()
    return stage


def flipped(stage, person=None, **query):
    record = GateRecord.objects.of(stage.model.pk, stage.pull_request.number).first()
    found = find_examples(stage.model, record, actor(person), Query(**query))
    return found.examples


def about(example):
    return {"benchmark": example.key, "item": example.item}


def say(stage, person, example, body="Look at this."):
    number = stage.pull_request.number
    return comment_on_item(stage.model, number, actor(person), body=body, **about(example))


def test_anyone_who_may_comment_on_the_pull_request_comments_on_an_item(stage, client_for):
    example, person = flipped(stage)[0], make_user()
    form = {"act": "comment", "body": "<b>Hm</b>\nno", "back": "?direction=lost", **about(example)}
    response = client_for(person).post(f"{stage.url}/examples/notes", form)
    anchor = f"#item-{example.item[:12]}"
    assert response["Location"] == f"{stage.url}/examples?direction=lost{anchor}"
    page = client_for().get(f"{stage.url}/examples").content.decode()
    assert "&lt;b&gt;Hm&lt;/b&gt;<br>no" in page and person.username in page
    assert 'with comments <span class="num">1</span>' in page
    talked = client_for().get(f"{stage.url}/examples?remark=comment").content.decode()
    assert talked.count('class="flip"') == 1
    event = Event.objects.get(kind="gate.item_commented")
    assert (event.actor, event.data["benchmark"]) == (person, "words")
    assert example.item not in json.dumps(event.data) + event.path
    assert "commented on an" in client_for().get(stage.url).content.decode()


def test_nobody_comments_without_an_account(stage, client_for, api_for):
    example = flipped(stage)[0]
    form = {"act": "comment", "body": "Hm", **about(example)}
    response = client_for().post(f"{stage.url}/examples/notes", form)
    assert response.status_code == 302 and "/-/sign-in" in response["Location"]
    with pytest.raises(UnauthenticatedError):
        say(stage, None, example)
    reading = api_for(make_user(), scope=TokenScope.READ)
    body = json.dumps(about(example) | {"body": "Hm"})
    assert reading.post(f"{stage.api}/notes", body, JSON).status_code == 403
    assert "<textarea" not in client_for().get(f"{stage.url}/examples").content.decode()


def test_an_item_is_called_acceptable_once_by_somebody_with_write_access(stage, client_for):
    example, number = flipped(stage)[0], stage.pull_request.number
    stranger = make_user()
    stage.model.access = Access.READ
    with pytest.raises(ForbiddenError):
        accept_item(stage.model, number, actor(stranger), **about(example))
    stage.model.access = Access.WRITE
    first = accept_item(
        stage.model, number, actor(stage.maintainer), body="The label is wrong.", **about(example)
    )
    other = make_member(stage.model.namespace, access=Access.WRITE)
    again = accept_item(stage.model, number, actor(other), **about(example))
    assert (again.pk, again.author) == (first.pk, stage.maintainer)
    page = client_for().get(f"{stage.url}/examples").content.decode()
    assert f"<b>{stage.maintainer.username}</b> calls this acceptable: The label is wrong." in page
    assert GateRecord.objects.get().verdict == "pass", "it changes no verdict"


def test_notes_are_taken_back_by_their_authors_and_administrators(stage):
    example, number = flipped(stage)[0], stage.pull_request.number
    author, other = make_user(), make_user()
    note = say(stage, author, example)
    stage.model.access = Access.READ
    with pytest.raises(ForbiddenError):
        remove_note(stage.model, number, actor(other), note.pk)
    remove_note(stage.model, number, actor(author), note.pk)
    note = say(stage, author, example)
    stage.model.access = Access.ADMIN
    remove_note(stage.model, number, actor(other), note.pk)
    stage.model.access = Access.WRITE
    accepted = accept_item(stage.model, number, actor(stage.maintainer), **about(example))
    stage.model.access = Access.READ
    with pytest.raises(ForbiddenError):
        remove_note(stage.model, number, actor(author), accepted.pk)
    stage.model.access = Access.WRITE
    remove_note(stage.model, number, actor(other), accepted.pk)
    assert not ItemNote.objects.exists()


@pytest.mark.parametrize("body", ["", "  ", "x" * (16 * 1024 + 1)])
def test_a_comment_says_something_and_is_bounded(stage, body):
    with pytest.raises(BadInputError):
        say(stage, make_user(), flipped(stage)[0], body=body)


def test_an_item_that_was_not_weighed_is_refused(stage):
    number, person = stage.pull_request.number, actor(make_user())
    for wrong in ({"benchmark": "words", "item": "0" * 64}, {"benchmark": "no", "item": "0" * 64}):
        with pytest.raises(NotFoundError):
            comment_on_item(stage.model, number, person, body="Hm", **wrong)
    with pytest.raises(NotFoundError):
        comment_on_item(stage.model, 99, person, body="Hm", **about(flipped(stage)[0]))


def test_notes_outlive_a_new_weighing_and_a_new_digest(stage, client_for):
    say(stage, make_user(), flipped(stage)[0], "Still here")
    stage.play()
    assert "Still here" in client_for().get(f"{stage.url}/examples").content.decode()


def sealed():
    """A benchmark in a private data set, with a comment and an acceptance on one of its items."""
    namespace = make_organization()
    vault = make_repository(
        namespace, kind=Kind.DATASET, name="vault", visibility=Visibility.PRIVATE
    )
    exam = Act("exam", questions(300, prefix="secret"), chooses({1}, {2}), data=vault)
    stage = set_stage(
        Act("words", questions(300), chooses({5})), exam, namespace=namespace, gate="looks: 1\n"
    )
    stage.play()
    insider = make_member(namespace, access=Access.WRITE)
    example = flipped(stage, insider, benchmark="exam")[0]
    note = say(stage, insider, example, "Classified")
    accept_item(stage.model, 1, actor(insider), body="Classified too", **about(example))
    return stage, insider, example, note


def test_what_is_said_about_hidden_items_stays_hidden(client_for, api_for):
    stage, insider, example, note = sealed()
    assert "Classified" in client_for(insider).get(f"{stage.url}/examples").content.decode()
    assert len(api_for(insider).get(f"{stage.api}/notes").json()["notes"]) == 2
    for person in (None, make_user(), stage.pull_request.author):
        client, api = client_for(person), api_for(person)
        for address in (
            "examples",
            "examples?remark=comment",
            "examples?direction=same",
            "",
            "benchmarks",
        ):
            page = client.get(f"{stage.url}/{address}" if address else stage.url).content.decode()
            assert "Classified" not in page and example.item not in page
            assert 'with comments <span class="num">1' not in page, "not even their number"
        assert api.get(f"{stage.api}/notes").json() == {"notes": []}
    outsider = make_user()
    known, unknown = about(example), {"benchmark": "exam", "item": "0" * 64}
    said = []
    for each in (known, unknown):
        with pytest.raises(NotFoundError) as refused:
            comment_on_item(stage.model, 1, actor(outsider), body="Hm", **each)
        said.append(str(refused.value))
    assert said[0] == said[1], "a hidden item and a missing one read alike"
    with pytest.raises(NotFoundError, match="no such note"):
        remove_note(stage.model, 1, actor(outsider), note.pk)
    assert ItemNote.objects.count() == 2


def test_the_api_writes_lists_and_deletes_notes(stage, api_for):
    example, api = flipped(stage)[0], api_for(stage.maintainer)
    body = json.dumps(about(example) | {"body": "Hm"})
    made = api.post(f"{stage.api}/notes", body, JSON)
    assert made.status_code == 201 and made.json()["kind"] == "comment"
    body = json.dumps(about(example) | {"kind": "acceptable"})
    assert api.post(f"{stage.api}/notes", body, JSON).json()["author"] == stage.maintainer.username
    listed = api_for().get(f"{stage.api}/notes").json()["notes"]
    assert [note["kind"] for note in listed] == ["comment", "acceptable"]
    told = api_for().get(f"{stage.api}/examples?remark=comment").json()
    assert [note["body"] for note in told["examples"][0]["notes"]] == ["Hm", ""]
    for note in listed:
        assert api.delete(f"{stage.api}/notes/{note['id']}").json() == {"success": True}
    assert api.delete(f"{stage.api}/notes/{listed[0]['id']}").status_code == 404


def test_an_unknown_act_and_a_foreign_way_back_are_refused(stage, client_for):
    client, example = client_for(make_user()), flipped(stage)[0]
    form = {"act": "dance", "back": "?next=//evil.example&page=2", **about(example)}
    response = client.post(f"{stage.url}/examples/notes", form, follow=True)
    assert "nothing that can be done" in response.content.decode()
    ((where, _status),) = response.redirect_chain
    assert where.startswith(f"{stage.url}/examples?page=2#") and "evil" not in where
