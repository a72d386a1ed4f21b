"""The Benchmarks tab of a pull request, and what the API says of the same verdict."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from hub.models import Kind, Visibility
from tests.factories import commit_files, make_organization, make_repository
from tests.reviews.factories import push
from tests.training.acting import (
    ROLLING,
    TRANSLATION,
    Act,
    chooses,
    questions,
    reads,
    set_stage,
    translates,
)
from training.models import GateRecord

pytestmark = pytest.mark.django_db


def texts(count: int) -> list[dict]:
    return [{"text": f"text {number} " * (3 + number % 5)} for number in range(count)]


def sentences(count: int) -> list[dict]:
    return [
        {"question": f"q{number}", "answer": f"cat number {number} sits on the mat"}
        for number in range(count)
    ]


def worse_at_sitting(side, doc):
    return doc["answer"] if side == "base" else doc["answer"].replace("sits", "sat")


MIXED = (
    Act("words", questions(300, kinds=["a", "b"]), chooses(lost={2, 3, 4}, gained={0, 1})),
    Act("prose", texts(200), reads({"base": 0.7, "candidate": 0.69}), ROLLING, rule="margin: 0.5%"),
    Act("zh-en", sentences(120), translates(worse_at_sitting), TRANSLATION, rule="margin: 5"),
)


def page_of(client, stage, tab="benchmarks", **query):
    response = client.get(f"{stage.url}/{tab}", query)
    assert response.status_code == 200
    return response.content.decode()


def gate_of(client, stage):
    response = client.get(f"{stage.api}/gate")
    assert response.status_code == 200
    return response.json()


def test_benchmarks_of_every_unit_stand_on_scales_of_their_own(client_for, api_for):
    stage = set_stage(*MIXED)
    record = stage.play()
    page = page_of(client_for(), stage)
    plot = page[: page.index("The numbers")]
    for axis in ("points (right is better)", "bits per byte (right", "points of 100 (right"):
        assert plot.count(axis) == 1
    assert "worse than allowed" in page and "improved" in page
    words, prose, zh_en = record.results
    assert f"{100 * words['candidate_score']:.1f}\N{NO-BREAK SPACE}%" in page
    # Fewer bits are better: the change is drawn to the right, and in four decimals.
    assert prose["candidate_score"] < prose["base_score"]
    assert f"+{prose['delta']:.4f}" in page
    assert "0.5 % of base" in page
    assert f"\N{MINUS SIGN}{-zh_en['delta']:.1f}" in page
    told = {result["key"]: result for result in gate_of(api_for(), stage)["results"]}
    assert (told["prose"]["unit"], told["prose"]["direction"]) == ("bits", "lower")
    assert told["zh-en"]["delta"] == pytest.approx(zh_en["delta"])
    assert told["words"]["margin_written"] == "0.1"


def test_the_looks_tell_how_each_benchmark_was_decided(client_for, api_for):
    stage = set_stage(Act("words", questions(1200), chooses(range(0, 60, 2), range(1, 60, 2))))
    record = stage.play()
    (result,) = record.results
    page = page_of(client_for(), stage)
    assert f"look {result['look']} of 3" in page
    assert f"of {result['n_max']}" in page
    looks = gate_of(api_for(), stage)["looks"]
    assert [look["number"] for look in looks] == list(range(1, result["look"] + 1))
    assert looks[-1]["benchmarks"]["words"]["verdict"] == "pass"
    assert looks[-1]["of"] == 3


def test_groups_that_got_worse_come_first_and_are_marked(client_for, api_for):
    rows = questions(400, kinds=["good", "bad"])
    hit = {row["number"] for row in rows if row["kind"] == "bad"}
    stage = set_stage(Act("words", rows, chooses(lost=sorted(hit)[:40])), gate="looks: 1\n")
    record = stage.play()
    flagged = [group["group"] for group in record.results[0]["groups"] if group["flagged"]]
    assert flagged == ["bad"]
    page = page_of(client_for(), stage)
    card = page[page.index('id="groups"') :]
    assert card.index(">bad<") < card.index(">good<")
    assert "1 group worse" in card and "worse, p &lt; 0.001" in card and "harm not shown" in card
    groups = gate_of(api_for(), stage)["results"][0]["groups"]
    assert {group["group"] for group in groups} == {"good", "bad"}


def test_a_benchmark_without_a_verdict_says_why(client_for, api_for):
    stage = set_stage(Act("words", questions(300), chooses()))
    record = stage.play()
    record.results = [
        {key: record.results[0][key] for key in ("key", "label_text", "role", "metric", "unit")}
        | {"repository_id": stage.data.pk, "items_repository_id": stage.data.pk, "hidden": False}
        | {"verdict": "error", "reason": "scores_not_finite", "margin": 0.1, "alpha": 0.05}
        | {"parameters": {"examples": ["an-item-id"]}}
    ]
    record.verdict = "error"
    record.save()
    page = page_of(client_for(), stage)
    assert page.count("scores are not numbers") >= 2, "in the sentence and in the row"
    assert "an-item-id" not in page
    told = gate_of(api_for(), stage)["results"][0]
    assert told["explanation"] == "scores are not numbers"
    assert "an-item-id" not in json.dumps(told)


def test_attempts_are_counted_and_strict_ones_have_smaller_levels(client_for, api_for):
    stage = set_stage(Act("words", questions(300), chooses()), gate="strict: true\n")
    first = stage.play()
    push(stage.pull_request, {"config.json": b'{"another": 1}'})
    second = stage.play()
    page = page_of(client_for(), stage)
    assert "Weighed 2 times" in page and "strict: every try has a smaller level" in page
    attempts = gate_of(api_for(), stage)["attempts"]
    assert [attempt["attempt"] for attempt in attempts] == [2, 1]
    assert attempts[0]["alpha"] == pytest.approx(attempts[1]["alpha"] / 4)
    assert (first.attempt, second.attempt) == (1, 2)


def contaminated(visibility, hits):
    """A stage whose proposal declares two data sets, one of which holds `hits` of its items."""
    long = "the quick brown fox jumps over the lazy dog while thirteen sleepy cats watch number"
    rows = questions(400, prefix=long)
    namespace = make_organization()
    train = make_repository(namespace, kind=Kind.DATASET, name="train", visibility=visibility)
    told = "".join(json.dumps({"text": row["question"]}) + "\n" for row in rows[:hits])
    commit_files(train, {"train.jsonl": told.encode()})
    sealed = make_repository(kind=Kind.DATASET, name="sealed", visibility=Visibility.PRIVATE)
    card = f"---\nlicense: mit\ndatasets: [{train.repo_id}, {sealed.repo_id}]\n---\n"
    files = {"config.json": b'{"trained": 1}', "README.md": card.encode()}
    # Every prompt shares thirteen words with every other: the number must stand in the gram.
    act = Act("words", [row | {"question": f"{row['number']} {long}"} for row in rows], chooses())
    told = "".join(json.dumps({"text": row["question"]}) + "\n" for row in act.rows[:hits])
    commit_files(train, {"train.jsonl": told.encode()})
    return set_stage(act, namespace=namespace, files=files), train, sealed


def test_contamination_is_told_without_names_that_may_not_be_known(client_for, api_for):
    stage, train, sealed = contaminated(Visibility.PUBLIC, hits=1)
    record = stage.play()
    page = page_of(client_for(), stage)
    card = page[page.index('id="contamination"') :]
    assert train.repo_id in card
    assert sealed.repo_id not in page
    assert "1 declared data set is not named here" in card
    told = gate_of(api_for(), stage)["contamination"]
    assert told["sources"] == [train.repo_id] and told["unnamed"] == 1
    assert sealed.repo_id not in json.dumps(told)
    assert record.sentence["unreadable_data"] == [sealed.repo_id]


def test_undeclared_data_are_said(client_for, api_for):
    stage = set_stage(Act("words", questions(300), chooses()))
    stage.play()
    assert "declares no training data" in page_of(client_for(), stage)
    told = gate_of(api_for(), stage)["contamination"]
    assert told["undeclared"] is True and told["checked"] is False


def test_a_verdict_on_an_earlier_version_is_shown_as_such(client_for):
    stage = set_stage(Act("words", questions(300), chooses()))
    stage.play()
    push(stage.pull_request, {"config.json": b'{"later": 1}'})
    page = page_of(client_for(), stage)
    assert "This verdict is on an earlier version" in page
    assert "no significant change" in page


def test_states_without_a_verdict_have_their_own_words(client_for):
    stage = set_stage(Act("words", questions(300), chooses()))
    assert "Not run" in page_of(client_for(), stage)
    assert "The gate has not weighed this change" in page_of(client_for(), stage, "examples")
    stage.play()
    GateRecord.objects.update(results=[], sentence={"reason": "no_model_change"}, looks=[])
    assert "No model file changed" in page_of(client_for(), stage)


def test_noise_and_what_was_left_out_stand_beside_the_numbers(client_for):
    stage = set_stage(Act("words", questions(300), chooses()))
    record = stage.play()
    record.results[0] |= {"noise": {"flips": 3, "n": 300, "floor": 0.01}, "excluded": 7}
    record.save()
    page = page_of(client_for(), stage)
    assert "noise alone: ±1.0 (3 of 300 items differ)" in page
    assert "7 left out" in page


def test_many_benchmarks_and_groups_stay_below_the_size_of_a_page(client_for):
    stage = set_stage(Act("words", questions(300, kinds=["a", "b"]), chooses({1}, {2})))
    record = stage.play()
    (result,) = record.results
    groups = [result["groups"][0] | {"group": f"a group with a long name {i}"} for i in range(200)]
    record.results = [
        result | {"key": f"b{i}", "label_text": f"benchmark {i}", "groups": groups}
        for i in range(20)
    ]
    record.save()
    page = page_of(client_for(), stage)
    assert len(page.encode()) < 100_000
    assert "120 more have larger p-values" in page


def test_the_tab_asks_a_fixed_number_of_queries(client_for, django_assert_max_num_queries):
    stage = set_stage(*MIXED)
    stage.play()
    GateRecord.objects.update(created_at=timezone.now())
    with django_assert_max_num_queries(48):
        page_of(client_for(stage.maintainer), stage)
