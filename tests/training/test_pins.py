"""Examples as regression tests: pinned by maintainers, held against every later change."""

from __future__ import annotations

import json

import pytest

from hub.errors import BadInputError, ForbiddenError, NotFoundError
from hub.models import Access, AuditEntry, Kind, Visibility
from tests.factories import actor, make_member, make_organization, make_repository, make_user
from tests.training.acting import ROLLING, Act, chooses, questions, reads, set_stage
from training.actions.examples import Query, find_examples
from training.actions.pins import pin_item, pins_of, unpin
from training.models import GateRecord, Pin

pytestmark = pytest.mark.django_db
JSON = "application/json"


def examples(stage, person=None, **query):
    record = GateRecord.objects.of(stage.model.pk, stage.pull_request.number).first()
    return find_examples(stage.model, record, actor(person), Query(**query)).examples


def about(example):
    return {"benchmark": example.key, "item": example.item}


def pin(stage, example, person=None, **more):
    return pin_item(stage.model, 1, actor(person or stage.maintainer), **about(example), **more)


@pytest.fixture
def stage():
    stage = set_stage(Act("words", questions(300), chooses({1, 2}, {3})), gate="looks: 1\n")
    stage.play()
    return stage


def test_a_lost_pin_fails_a_gate_that_would_pass(stage, client_for, api_for):
    assert GateRecord.objects.get().verdict == "pass"
    lost, kept = examples(stage)[0], examples(stage, direction="same")[0]
    pin(stage, lost, note="Parcel scams")
    pin(stage, kept)
    record = stage.play()
    states = {told["item"]: told["state"] for told in record.sentence["pins"]}
    assert states == {lost.item: "lost", kept.item: "kept"}
    assert record.verdict == "fail"
    page = client_for().get(f"{stage.url}/benchmarks").content.decode()
    card = page[page.index('id="pins"') :]
    assert card.index("Parcel scams") < card.index(kept.item[:8]), "what is lost comes first"
    assert "1 pinned example is lost" in page
    told = api_for().get(f"{stage.api}/gate").json()["pins"]
    assert {each["state"] for each in told} == {"lost", "kept"}
    listed = client_for().get(f"{stage.model.get_absolute_url()}/runs/pins").content.decode()
    assert "Lost in #1" in listed and "Kept in #1" in listed and lost.prompt in listed


def test_pinning_is_for_people_with_write_access_and_is_audited(stage, client_for):
    example = examples(stage)[0]
    stage.model.access = Access.READ
    with pytest.raises(ForbiddenError):
        pin(stage, example, make_user())
    stage.model.access = Access.WRITE
    first, again = pin(stage, example, note="a  b\n c"), pin(stage, example, note="other")
    assert (first.pk, first.note) == (again.pk, "a b c")
    assert AuditEntry.objects.filter(action="gate.pin").count() == 1
    page = client_for(stage.maintainer).get(f"{stage.url}/examples?remark=pin").content.decode()
    assert page.count('class="flip"') == 1 and "no change may lose it. a b c" in page
    stage.model.access = Access.READ
    with pytest.raises(ForbiddenError):
        unpin(stage.model, actor(make_user()), first.pk)
    back = {"next": f"{stage.url}/examples?remark=pin"}
    url = f"{stage.model.get_absolute_url()}/runs/pins/{first.pk}/remove"
    response = client_for(stage.maintainer).post(url, back)
    assert response["Location"] == back["next"]
    assert AuditEntry.objects.filter(action="gate.unpin").count() == 1
    assert not Pin.objects.exists()


def test_a_way_back_to_another_site_is_not_taken(stage, client_for):
    made = pin(stage, examples(stage)[0])
    here = stage.model.get_absolute_url()
    form = {"next": "https://evil.example/"}
    response = client_for(stage.maintainer).post(f"{here}/runs/pins/{made.pk}/remove", form)
    assert response["Location"] == f"{here}/runs/pins"


def test_only_right_or_wrong_items_can_be_pinned():
    texts = [{"text": f"text {number} " * 4} for number in range(120)]
    scores = reads({"base": 0.7, "candidate": 0.69})
    stage = set_stage(Act("prose", texts, scores, ROLLING, rule="margin: 5%"), gate="looks: 1\n")
    stage.play()
    with pytest.raises(BadInputError, match="right or wrong"):
        pin(stage, examples(stage)[0])


def test_a_pin_holds_although_its_data_set_gets_another_name(stage):
    made = pin(stage, examples(stage)[0])
    stage.data.name = "renamed"
    stage.data.save()
    from training.jobs.benchmarks import benchmarks_of
    from training.jobs.pins import pinned_items
    from training.jobs.preparing import asked_in_full

    run = GateRecord.objects.get().run
    (asked,) = [asked_in_full(each) for each in benchmarks_of(run.spec)]
    assert pinned_items(stage.model.pk, [asked]) == {"words": [made]}


def test_pins_of_data_that_may_not_be_read_are_a_number_alone(client_for, api_for):
    namespace = make_organization()
    vault = make_repository(
        namespace, kind=Kind.DATASET, name="vault", visibility=Visibility.PRIVATE
    )
    exam = Act("exam", questions(300, prefix="secret"), chooses({1}, {2}), data=vault)
    stage = set_stage(exam, namespace=namespace, gate="looks: 1\n")
    stage.play()
    insider = make_member(namespace, access=Access.WRITE)
    example = examples(stage, insider)[0]
    made = pin(stage, example, insider, note="Classified")
    stage.play()
    for person in (None, make_user(), stage.pull_request.author):
        here = stage.model.get_absolute_url()
        pages = [
            client_for(person).get(address).content.decode()
            for address in (f"{here}/runs/pins", f"{stage.url}/benchmarks", f"{stage.url}/examples")
        ]
        for page in pages:
            assert "Classified" not in page and example.item[:8] not in page
        assert "1 more lies in a data set that you may not read" in pages[0]
        assert "1 more lies in a data set that you may not read" in pages[1]
        api = api_for(person)
        assert api.get(f"/api/models/{stage.model.repo_id}/pins").json() == {
            "pins": [], "unseen": 1,
        }  # fmt: skip
        gate = api.get(f"{stage.api}/gate")
        assert (gate.json()["pins"], gate.json()["unseenPins"]) == ([], 1)
        assert example.item not in gate.content.decode()
    stage.model.access = Access.WRITE
    with pytest.raises(NotFoundError):
        unpin(stage.model, actor(make_user()), made.pk)
    with pytest.raises(NotFoundError):
        pin_item(stage.model, 1, actor(make_user()), **about(example))
    assert pins_of(stage.model, actor(insider)) == ([made], 0)


def test_the_api_pins_lists_and_unpins(stage, api_for):
    api, example = api_for(stage.maintainer), examples(stage)[0]
    body = json.dumps(about(example) | {"note": "Never again"})
    made = api.post(f"{stage.api}/pins", body, JSON)
    assert made.status_code == 201
    listed = api_for().get(f"/api/models/{stage.model.repo_id}/pins").json()["pins"]
    assert [(each["item"], each["note"]) for each in listed] == [(example.item, "Never again")]
    assert listed[0]["benchmark"] == f"{stage.data.repo_id}:words.yaml"
    address = f"/api/models/{stage.model.repo_id}/pins/{listed[0]['id']}"
    assert api_for(make_user()).delete(address).status_code == 403
    assert api.delete(address).json() == {"success": True}
    assert api.delete(address).status_code == 404
