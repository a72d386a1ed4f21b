"""The Examples tab and its API: what is found, in which order, by whom."""

from __future__ import annotations

import json

import pytest

from hub.models import Access, Kind, Visibility
from tests.factories import actor, make_member, make_organization, make_repository, make_user
from tests.training.acting import TRANSLATION, Act, chooses, questions, set_stage, translates
from training.actions.examples import Query, find_examples
from training.models import GateRecord

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def rows():
    return questions(300, kinds=["short", "odd"])


@pytest.fixture
def stage(rows):
    stage = set_stage(Act("words", rows, chooses({10, 11, 12}, {20, 21})), gate="looks: 1\n")
    stage.play()
    return stage


def found(stage, query=None, person=None, **paging):
    record = GateRecord.objects.of(stage.model.pk, stage.pull_request.number).first()
    return find_examples(stage.model, record, actor(person), query or Query(), **paging)


def numbers(found):
    return [int(example.prompt.rpartition(" ")[2]) for example in found.examples]


def test_flips_come_first_lost_before_gained(stage):
    told = found(stage)
    assert (told.total, set(numbers(told)[:3])) == (5, {10, 11, 12})
    assert dict(told.counts) == {"lost": 3, "gained": 2, "same": 295, "out": 0}
    first = told.examples[0]
    assert (first.direction, first.expected, first.base.answer) == ("lost", "yes", "yes")
    assert first.candidate.answer == "no" and first.candidate.margin == pytest.approx(-0.4)
    yes, no = first.choices
    assert (yes.is_expected, yes.base_picks, no.candidate_picks) == (True, True, True)


@pytest.mark.parametrize(
    ("query", "total"),
    [
        (Query(direction="gained"), 2),
        (Query(direction="same"), 295),
        (Query(group="odd"), 2),
        (Query(length="short"), 5),
        (Query(length="long"), 0),
        (Query(benchmark="words", direction="lost"), 3),
        (Query(group="nothing"), 0),
    ],
)
def test_filters_narrow_what_is_found(stage, query, total):
    told = found(stage, query)
    assert told.total == total
    assert list(told.groups) == ["odd", "short"]


def test_an_item_is_found_by_the_beginning_of_its_id(stage):
    wanted = found(stage, Query(direction="same"), count=1).examples[0]
    told = found(stage, Query(item=wanted.item[:10]))
    assert [example.item for example in told.examples] == [wanted.item]


def test_pages_go_on_where_the_last_one_ended(stage):
    every = [example.item for example in found(stage, Query(direction="same"), count=300).examples]
    parts = [
        example.item
        for start in range(0, 300, 64)
        for example in found(stage, Query(direction="same"), start=start, count=64).examples
    ]
    assert (len(every), parts) == (295, every)


def test_items_that_the_verdict_was_not_made_of_are_kept_apart(rows):
    stage = set_stage(Act("words", rows, chooses({10, 11}, {20})))
    record = stage.play()
    (result,) = record.results
    assert result["n"] < 300, "it stopped early"
    told = found(stage, Query(direction="same"))
    changed = told.counts["lost"] + told.counts["gained"]
    assert changed == result["gains"] + result["losses"]
    assert sum(told.counts.values()) == found(stage, Query(direction="out")).total + result["n"]


def test_the_page_shows_both_sides_with_log_likelihoods(stage, client_for):
    page = client_for().get(f"{stage.url}/examples").content.decode()
    assert page.count('class="flip"') == 5
    assert "question 10" in page and "question 30" not in page
    assert "\N{MINUS SIGN}1.400" in page, "the log-likelihoods"
    assert "lost <span" in page and "data-flips" in page
    same = client_for().get(f"{stage.url}/examples?direction=same").content.decode()
    assert same.count('class="flip"') == 10 and "Page 1 of 30" in same
    none = client_for().get(f"{stage.url}/examples?group=nobody").content.decode()
    assert "No item is like that" in none


def test_beyond_the_last_page_is_the_last_page(stage, client_for):
    query = "direction=same&benchmark=words"
    page = client_for().get(f"{stage.url}/examples?{query}&page=99").content.decode()
    last = found(stage, Query(direction="same", benchmark="words"), count=300).examples[-1]
    assert f"item-{last.item[:12]}" in page and 'class="flip"' in page
    assert "There is no such" not in page


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999", "١"])
def test_a_page_number_that_is_none_breaks_nothing(stage, client_for, page):
    assert client_for().get(f"{stage.url}/examples?page={page}").status_code == 200


def test_outputs_stand_side_by_side_with_their_differences(client_for):
    rows = [{"question": f"q{i}", "answer": f"cat {i} sits on the mat"} for i in range(120)]

    def says(side, doc):
        return doc["answer"] if side == "base" else doc["answer"].replace("sits", "sat <i>")

    stage = set_stage(Act("mt", rows, translates(says), TRANSLATION, rule="margin: 5"))
    stage.play()
    page = client_for().get(f"{stage.url}/examples").content.decode()
    assert "<mark>sits</mark> on the mat" in page
    assert "<mark>sat &lt;i&gt;</mark> on the mat" in page


def test_texts_are_cut_on_a_page_and_whole_alone(client_for):
    rows = [row | {"question": f"{row['question']} " + "long " * 800} for row in questions(300)]
    stage = set_stage(Act("words", rows, chooses({10, 11, 12})), gate="looks: 1\n")
    stage.play()
    page = client_for().get(f"{stage.url}/examples").content.decode()
    assert "long…" in page or "lon…" in page or "lo…" in page or "l…" in page or "…" in page
    assert len(page.encode()) < 100_000
    item = found(stage).examples[0].item
    alone = client_for().get(f"{stage.url}/examples?item={item}").content.decode()
    assert alone.count("long ") > 700


def sealed(rows, **rule):
    """A gate over an open benchmark and one in a private data set of another namespace."""
    namespace = make_organization()
    vault = make_repository(
        namespace, kind=Kind.DATASET, name="vault", visibility=Visibility.PRIVATE
    )
    secret = [row | {"question": f"secret {row['number']}", "kind": "secret-group"} for row in rows]
    open_act = Act("words", rows, chooses({10}, {20, 21}))
    exam = Act("exam", secret, chooses({30, 31}, {40}), data=vault, **rule)
    stage = set_stage(open_act, exam, namespace=namespace, gate="looks: 1\n")
    stage.play()
    return stage, vault


@pytest.mark.parametrize("rule", [{}, {"rule": "margin: 0.1, hidden: true"}])
def test_items_of_a_data_set_that_may_not_be_read_are_nowhere(rows, client_for, api_for, rule):
    stage, vault = sealed(rows, **rule)
    insider = make_member(stage.model.namespace, access=Access.READ)
    secret = found(stage, Query(benchmark="exam"), insider).examples[0].item
    strangers = [None, make_user(), stage.pull_request.author]
    for person in strangers:
        client, api = client_for(person), api_for(person)
        for query in ("", "?benchmark=exam", f"?item={secret}", "?group=secret-group",
                      "?direction=same", "?direction=same&group=secret-group"):  # fmt: skip
            for door, address in (
                (client, f"{stage.url}/examples"),
                (api, f"{stage.api}/examples"),
            ):
                said = door.get(address + query).content.decode()
                assert "secret 3" not in said and "secret-group</option>" not in said
                if secret not in query:
                    assert secret not in said
        told = api.get(f"{stage.api}/examples").json()
        assert (told["counts"]["lost"], told["hidden"]) == (1, ["exam"])
        assert api.get(f"{stage.api}/examples?item={secret}").json()["total"] == 0
        assert secret not in json.dumps(api.get(f"{stage.api}/gate").json())
        page = client.get(f"{stage.url}/benchmarks").content.decode()
        assert "secret" not in page.replace(f"{stage.model.namespace.slug}/vault", "")
    page = client_for(insider).get(f"{stage.url}/examples?benchmark=exam").content.decode()
    assert "secret 30" in page and "secret-group" in page
    assert vault.repo_id


def test_the_api_pages_and_filters_as_the_page_does(stage, api_for):
    api = api_for()
    told = api.get(f"{stage.api}/examples?direction=same&limit=100&page=3").json()
    assert (told["total"], told["pages"], len(told["examples"])) == (295, 3, 95)
    example = api.get(f"{stage.api}/examples?direction=lost").json()["examples"][0]
    assert example["choices"][0] | {"base": 0, "candidate": 0} == {
        "text": "yes", "base": 0, "candidate": 0, "expected": True, "basePicks": True,
        "candidatePicks": False,
    }  # fmt: skip
    for wrong in ("direction=up", "length=huge", "limit=101", "page=0", "page=x", "remark=no"):
        assert api.get(f"{stage.api}/examples?{wrong}").status_code == 400


def test_results_that_are_gone_are_said_to_be(stage, client_for):
    GateRecord.objects.update(comparison_sha256="0" * 64)
    page = client_for().get(f"{stage.url}/examples").content.decode()
    assert "The item results are gone" in page


def test_the_tab_asks_a_fixed_number_of_queries(stage, client_for, django_assert_max_num_queries):
    client = client_for(stage.maintainer)
    with django_assert_max_num_queries(48):
        client.get(f"{stage.url}/examples?direction=same")
