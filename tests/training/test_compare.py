"""Models side by side: what the items say of the difference, and what is not to be compared."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from hub.errors import BadInputError
from hub.models import Access, Kind, Visibility
from tests.factories import (
    actor,
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_user,
)
from tests.training.board_making import (
    SETTINGS,
    evaluate,
    make_benchmark,
    make_scored,
    reweigh,
    rows_of,
)
from training.actions.compare_pairs import RESAMPLED_LIMIT, calibration, pair
from training.actions.comparing import compare_sides, read_sides
from training.jobs.evaluations import protocol_digest
from training.models import Evaluation, Origin, Run
from training.statistics.binary import mcnemar, tango_interval
from training.statistics.multiplicity import holm

pytestmark = pytest.mark.django_db
REPORTED = {
    "origin": Origin.REPORTED,
    "settings_digest": "f" * 64,
    "protocol_digest": "e" * 64,
    "source": {"paired_metrics": ["acc"], "asked": "alike"},
}


@pytest.fixture(autouse=True)
def _forget():
    cache.clear()


@pytest.fixture
def benchmark():
    return make_benchmark()


def compared(benchmark, *models, by=None, **more):
    texts = [model if isinstance(model, str) else model.repo_id for model in models]
    who = actor(by)
    return compare_sides(who, read_sides(who, texts), benchmark=benchmark.reference, **more)


def two(benchmark, first=(1, 2, 3, 4, 5), second=(1, 2, 60)):
    models = make_scored(name="one"), make_scored(name="two")
    for model, wrong in zip(models, (first, second), strict=True):
        evaluate(model, benchmark, set(wrong))
    return models


def page_of(client, *models, **query):
    pairs = [*zip("abcdef", (getattr(m, "repo_id", m) for m in models), strict=False)]
    return client.get("/-/compare", dict(pairs) | query)


# Numbers -----------------------------------------------------------------------------------------


def test_a_pair_has_tangos_interval_mcnemar_and_who_is_right_on_what(benchmark):
    found = compared(benchmark, *two(benchmark))
    facts = found.pairs[0].facts
    interval = tango_interval(3, 1, 120, alpha=0.025)
    assert facts["n"] == 120
    assert facts["delta"] == pytest.approx(2 / 120)
    assert (facts["lower"], facts["upper"]) == pytest.approx((interval.lower, interval.upper))
    assert facts["better"] == "" and facts["method"] == "tango"
    assert facts["overlap"] == {"both": 114, "first": 1, "second": 3, "neither": 2}
    exact = mcnemar(3, 1)
    assert facts["mcnemar"] == {"two_sided": exact.two_sided, "mid_p": exact.mid_p}
    # 116 of 120 answers are equal; by chance (115·117 + 5·3) / 120² would be.
    chance = (115 * 117 + 5 * 3) / 120**2
    assert facts["agreement"]["share"] == pytest.approx(116 / 120)
    assert facts["agreement"]["kappa"] == pytest.approx((116 / 120 - chance) / (1 - chance))


def test_who_is_better_is_said_once_the_items_show_it(benchmark):
    found = compared(benchmark, *two(benchmark, range(40), range(4)))
    facts = found.pairs[0].facts
    assert (facts["better"], facts["lower"] > 0) == ("second", True)
    again = compared(benchmark, *(side.text for side in reversed(found.sides))).pairs[0].facts
    assert (again["better"], again["delta"]) == ("first", pytest.approx(-facts["delta"]))


def test_items_are_points_and_examples_those_that_differ_most_first(benchmark):
    facts = compared(benchmark, *two(benchmark)).pairs[0].facts
    plot = facts["scatter"]
    assert (plot["by"], plot["n"], len(plot["points"])) == ("margin", 120, 120)
    for x, y, kind, _item in plot["points"]:
        assert {"both": x > 0 < y, "first": x > 0 > y, "second": x < 0 < y,
                "neither": x < 0 > y}[kind]  # fmt: skip
    assert facts["examples"]["counts"] == {"first": 1, "second": 3, "both": 114, "neither": 2}
    ((row, _other, question),) = facts["examples"]["first"]
    assert row == question, "a whole evaluation stands in the order of the questions"


def test_calibration_is_that_of_the_softmax_of_the_choices(benchmark):
    import math

    _one, other = two(benchmark)
    row = Evaluation.objects.get(repository=other)
    facts = calibration(row)
    from training.jobs.items import read_items

    sure, right = [], []
    for item in read_items(other.blobs(), row.items_sha256):
        powers = [math.exp(value) for value in item.loglikelihoods]
        sure.append(max(powers) / sum(powers))
        right.append(item.metrics["acc"])
    gap = 0.0
    for low in range(10):
        inside = [i for i, s in enumerate(sure) if low / 10 < s <= (low + 1) / 10]
        gap += abs(sum(sure[i] for i in inside) - sum(right[i] for i in inside))
    assert facts["ece"] == pytest.approx(gap / 120)
    assert sum(each["n"] for each in facts["bins"]) == facts["n"] == 120


def test_lower_is_better_and_other_scores_are_compared_as_measured():
    from tests.training import board_making

    text = board_making.TEXT.replace("weighbridge:", "metric_list: [{metric: brier}]\nweighbridge:")
    benchmark = make_benchmark(text=text)
    models = make_scored(), make_scored()
    for model, score in zip(models, (0.4, 0.2), strict=True):
        _scored(model, benchmark, "brier", lambda n, s=score: (s + 0.02 * (n % 5), ()))
    facts = compared(benchmark, *models).pairs[0].facts
    assert (facts["better"], facts["delta"]) == ("second", pytest.approx(-0.2))
    assert facts["lower"] <= facts["upper"] < 0
    assert facts["overlap"] is None and facts["agreement"] is None and facts["mcnemar"] is None
    assert facts["examples"]["counts"]["second"] == 120


def _scored(model, benchmark, metric, score):
    """An evaluation with the score and vector that `score` gives for the number of an item."""
    from hub.actions import large_files
    from training.actions.models import model_input
    from training.jobs.benchmarks import pinned_of
    from training.jobs.items import Item, write_items

    issued = pinned_of(benchmark.spec).items()
    items = []
    for each in issued:
        value, sums = score(each.doc["number"])
        items.append(Item(each.id, {metric: value}, sums={metric: sums} if sums else {}))
    blob = write_items(model.blobs(), items)
    large_files.link(model, blob)
    oid = model.store().resolve("main")
    return Evaluation.objects.create(
        repository=model, benchmark=benchmark, model_digest=model_input("model", model, oid)[1],
        revision=oid, benchmark_digest=benchmark.digest, settings_digest="1" * 64,
        protocol_digest="2" * 64, items_sha256=blob.sha256, item_count=len(items),
        scores={metric: {"value": 0.5, "lower": None, "upper": None}},
    )  # fmt: skip


def test_sums_are_compared_by_resampling_and_beyond_a_limit_by_the_delta_method(monkeypatch):
    from tests.training import board_making
    from training.actions import compare_pairs

    text = board_making.TEXT.replace(
        "weighbridge:", "metric_list: [{metric: macro_f1}]\nweighbridge:"
    ).replace('"{{choices}}"', "[yes, no]")
    benchmark = make_benchmark(text=text)

    def vector(number, wrong):
        hit = number % wrong != 0
        return None, (float(hit), float(hit), 1.0, 0.0, float(not hit), 0.0)

    models = make_scored(), make_scored()
    for model, wrong in zip(models, (3, 12), strict=True):
        _scored(model, benchmark, "macro_f1", lambda n, w=wrong: vector(n, w))
    resampled = compared(benchmark, *models).pairs[0].facts
    assert resampled["method"].startswith("bootstrap") and resampled["better"] == "second"
    cache.clear()
    monkeypatch.setattr(compare_pairs, "RESAMPLED_LIMIT", 100)
    quick = compared(benchmark, *models).pairs[0].facts
    assert quick["method"] == "delta_method" and quick["better"] == "second"
    assert quick["delta"] == pytest.approx(resampled["delta"])
    assert quick["lower"] == pytest.approx(resampled["lower"], abs=0.05)
    assert RESAMPLED_LIMIT >= 1000


# What is not compared ----------------------------------------------------------------------------


def test_what_was_measured_otherwise_is_shown_and_not_compared(benchmark):
    one, _two = two(benchmark)
    other, part, none = make_scored(), make_scored(), make_scored()
    evaluate(other, benchmark, settings=SETTINGS | {"batch_tokens": 64})
    evaluate(part, benchmark, limit=110)
    said, loose, asked = make_scored(), make_scored(), make_scored()
    evaluate(said, benchmark, **REPORTED)
    evaluate(loose, benchmark, **REPORTED | {"items_sha256": ""})
    evaluate(asked, benchmark, **REPORTED | {"source": {"asked": "otherwise"}})
    found = compared(benchmark, one, _two, other, part, none, said)
    states = [each.state for each in found.chosen.held]
    assert states == ["ok", "ok", "other-settings", "partial", "not-run", "reported"]
    assert len(found.pairs) == 15, "every side against every other"
    comparable = [pair.key for pair in found.pairs if pair.facts]
    assert comparable == ["ab", "ad", "af", "bd", "bf", "df"], "a report may be compared, marked"
    words = {pair.key: str(pair.why_not) for pair in found.pairs}
    assert "other settings" in words["ac"] and "not been measured" in words["ae"]
    found = compared(benchmark, one, loose, asked)
    assert [each.state for each in found.chosen.held[1:]] == ["without-items", "asked-otherwise"]
    assert not any(pair.facts for pair in found.pairs)
    dtype = SETTINGS | {"dtype": "bfloat16"}
    halved = make_scored()
    row = evaluate(halved, benchmark, settings=dtype)
    assert row.protocol_digest == protocol_digest(dict(SETTINGS), {"torch": "2.13.0"})
    assert compared(benchmark, one, halved).pairs[0].facts, "the precision is the model's own"


def test_what_a_gate_stopped_early_is_compared_on_the_items_in_common(
    benchmark, client_for, api_for
):
    one, other = make_scored(name="base"), make_scored(name="merge")
    evaluate(one, benchmark, {1, 2, 3, 4, 5}, limit=70)
    evaluate(other, benchmark, {1, 100}, limit=110)
    (found,) = compared(benchmark, one, other).pairs
    assert (found.facts["n"], found.facts["of"]) == (70, 120)
    changed = found.facts["gains"] - found.facts["losses"]
    assert found.facts["delta"] == pytest.approx(changed / 70) and changed > 0
    whole = compared(benchmark, one, other)
    assert all(each is not None for each in whole.calibrations)
    page = page_of(client_for(), one, other, benchmark=benchmark.reference).content.decode()
    assert page.count("on the 70 of 120 items that both answered") == 2
    assert "no choices to be sure of" not in page
    (told,) = api_for().get(f"/api/compare?a={one.repo_id}&b={other.repo_id}").json()["pairs"]
    assert (told["n"], told["ofItems"], told["comparable"]) == (70, 120, True)


def test_other_item_ids_are_never_compared(benchmark):
    from hub.actions import large_files

    one, other = two(benchmark)
    rows = [row | {"question": f"other {row['number']}"} for row in rows_of(120)]
    row = evaluate(make_scored(), make_benchmark(name="else", rows=rows))
    large_files.copy_link(row.repository, other, row.items_sha256)
    Evaluation.objects.filter(repository=other).update(items_sha256=row.items_sha256)
    (found,) = compared(benchmark, one, other).pairs
    assert not found.facts and "same items" in str(found.why_not)
    other.blobs().delete(row.items_sha256)
    cache.clear()
    (found,) = compared(benchmark, one, other).pairs
    assert not found.facts and "not at hand" in str(found.why_not)


def test_revisions_of_one_model_are_sides_of_their_own(benchmark):
    model = make_scored(name="versions")
    before = model.store().resolve("main")
    evaluate(model, benchmark, set(range(30)))
    reweigh(model, b"better")
    evaluate(model, benchmark, {1})
    found = compared(benchmark, f"{model.repo_id}@{before}", f"{model.repo_id}@main")
    assert [side.oid == before for side in found.sides] == [True, False]
    assert found.pairs[0].facts["better"] == "second"
    commit_files(model, {"README.md": b"# Words"})
    again = compared(benchmark, f"{model.repo_id}@{before}", model)
    assert again.pairs[0].facts["better"] == "second", "the files of the model are the same"


def test_three_models_are_three_pairs_adjusted_for_one_another(benchmark):
    """Wins and losses are 7 : 0, 7 : 19 and 0 : 19: the items that one side alone gets wrong."""
    wrong = {"one": range(7), "two": (), "three": range(60, 79)}
    models = []
    for name, missed in wrong.items():
        models.append(make_scored(name=name))
        evaluate(models[-1], benchmark, set(missed))
    found = compared(benchmark, *models)
    assert [pair.key for pair in found.pairs] == ["ab", "ac", "bc"]
    plain = [mcnemar(7, 0).two_sided, mcnemar(7, 19).two_sided, mcnemar(0, 19).two_sided]
    assert [pair.facts["test"]["p"] for pair in found.pairs] == pytest.approx(plain)
    assert [pair.p_holm for pair in found.pairs] == pytest.approx(holm(plain))
    assert [pair.facts["better"] for pair in found.pairs] == ["second", "first", "first"]
    (alone,) = compared(benchmark, *models[:2]).pairs
    assert alone.p_holm is None, "one pair is one test"


def test_a_difference_of_one_pair_among_many_may_be_chance(benchmark):
    """7 : 0 is shown by itself (p 0.0156) and not among six pairs (6 x 0.0156 > 5 %)."""
    models = [make_scored(name=name) for name in ("one", "two", "three", "four")]
    for model, missed in zip(models, (range(7), (), range(3), range(2, 5)), strict=True):
        evaluate(model, benchmark, set(missed))
    (alone,) = compared(benchmark, *models[:2]).pairs
    assert alone.facts["better"] == "second"
    found = {pair.key: pair for pair in compared(benchmark, *models).pairs}
    assert found["ab"].p_holm == pytest.approx(6 * 2 * 0.5**7)
    assert all(pair.facts["better"] == "" for pair in found.values())
    assert found["ab"].facts["lower"] == alone.facts["lower"], "an interval is of its pair alone"


def test_the_items_of_a_side_are_read_once_however_many_pairs(benchmark, monkeypatch):
    from training.actions import comparing

    read = []
    original = comparing.read_columns
    monkeypatch.setattr(
        comparing, "read_columns", lambda row, name: read.append(row.pk) or original(row, name)
    )
    models = [make_scored() for _ in range(6)]
    for model in models:
        evaluate(model, benchmark)
    assert len(compared(benchmark, *models).pairs) == 15
    assert len(read) == 6
    with pytest.raises(BadInputError, match="At most 6"):
        read_sides(actor(None), [f"a/m{number}" for number in range(7)])


def test_a_page_of_three_shows_every_pair_and_any_of_them_closely(
    benchmark, client_for, api_for, django_assert_max_num_queries
):
    models = [*two(benchmark), make_scored(name="three")]
    evaluate(models[2], benchmark, set(range(30, 60)))
    page_of(client_for(), *models, benchmark=benchmark.reference)
    with django_assert_max_num_queries(24):
        response = page_of(client_for(), *models, benchmark=benchmark.reference)
    page = response.content.decode()
    for words in ("B − A", "C − A", "C − B", "after Holm", "that 3 pairs were tested"):
        assert words in page, words
    chosen = page_of(client_for(), *models, benchmark=benchmark.reference, pair="bc")
    assert "pair=bc" in chosen.content.decode() and "C right" in chosen.content.decode()
    told = api_for().get("/api/compare", _query(*models, benchmark=benchmark.reference)).json()
    assert [(row["first"], row["second"], row["better"]) for row in told["pairs"]] == [
        ("a", "b", None), ("a", "c", "a"), ("b", "c", "b")
    ]  # fmt: skip
    assert all(0.0 <= row["pHolm"] <= 1.0 for row in told["pairs"])


# Pages -------------------------------------------------------------------------------------------


def test_the_page_shows_everything_and_its_tables(
    benchmark, client_for, django_assert_max_num_queries
):
    one, other = two(benchmark)
    more = make_benchmark(benchmark.repository, "more", count=30)
    evaluate(one, more)
    page_of(client_for(), one, other, benchmark=benchmark.reference)
    with django_assert_max_num_queries(20):
        response = page_of(client_for(), one, other, benchmark=benchmark.reference)
    page = response.content.decode()
    assert response.status_code == 200 and len(response.content) < 100_000
    for words in ("B − A", "+1.7", "McNemar p", "kappa", "As a table", "calibration error",
                  "question 60", "not run", "More"):  # fmt: skip
        assert words in page, words
    assert "<script>" not in page and " style=" not in page


def test_examples_can_be_chosen_and_paged(benchmark, client_for):
    one, other = two(benchmark)
    first = page_of(client_for(), one, other, benchmark=benchmark.reference, show="first")
    assert "question 60" in first.content.decode() and "question 3<" not in first.content.decode()
    both = page_of(client_for(), one, other, benchmark=benchmark.reference, show="both", page=3)
    assert "Page 3 of 15" in both.content.decode()
    assert both.content.decode().count('class="flip"') == 8
    odd = page_of(client_for(), one, other, benchmark=benchmark.reference, show="x", page="y")
    assert odd.status_code == 200


def test_what_is_missing_is_run_from_the_page(benchmark, client_for):
    one, _other = two(benchmark)
    gap, person = make_scored(), make_user()
    query = {"benchmark": benchmark.reference}
    page = page_of(client_for(), one, gap, **query).content.decode()
    assert "not run" in page and "Run it" not in page, "anonymous readers start nothing"
    page = page_of(client_for(person), one, gap, **query).content.decode()
    assert "Run it" in page
    oid = gap.store().resolve("main")
    form = {"model": gap.repo_id, "revision": oid, **query}
    url = f"/-/compare?a={one.repo_id}&b={gap.repo_id}&benchmark={benchmark.reference}"
    assert client_for().post(url, form)["Location"].startswith("/-/sign-in")
    assert not Run.objects.exists()
    response = client_for(person).post(url, form)
    assert (response.status_code, response["Location"]) == (302, url)
    run = Run.objects.get()
    assert run.inputs("model")[0]["commit"] == oid
    page = client_for(person).get(url).content.decode()
    assert run.get_absolute_url() in page and "Run it" not in page
    wrong = client_for(person).post(url, {**form, "benchmark": "no/where:x.yaml"}, follow=True)
    assert "There is no data set" in wrong.content.decode()


def test_texts_are_for_readers_of_the_data_set(client_for, api_for):
    namespace = make_organization()
    gated = make_repository(namespace, kind=Kind.DATASET, gated="manual")
    insider = make_member(namespace, access=Access.READ)
    benchmark = make_benchmark(gated, person=insider)
    models = two(benchmark)
    for person, sees in ((None, False), (make_user(), False), (insider, True)):
        page = page_of(client_for(person), *models, benchmark=benchmark.reference)
        text = page.content.decode()
        assert page.status_code == 200
        assert ("question 60" in text) is sees, person
        assert ("You may not read the data set" in text) is not sees
        assert "+1.7" in text, "sums over items are for everybody"
    answer = api_for().get("/api/compare", _query(*models, benchmark=benchmark.reference))
    assert "question" not in answer.content.decode()


def _query(*models, **more):
    return {**dict(zip("abcdef", (model.repo_id for model in models), strict=False)), **more}


def test_hidden_benchmarks_and_private_models_are_for_those_who_see_them(client_for, api_for):
    namespace = make_organization()
    insider = make_member(namespace, access=Access.READ)
    gated = make_repository(namespace, kind=Kind.DATASET, gated="manual")
    hidden = make_benchmark(gated, "held", more=", hidden: true", person=insider)
    models = two(hidden)
    stranger = make_user()
    assert page_of(client_for(insider), *models, benchmark=hidden.reference).status_code == 200
    refused = page_of(client_for(stranger), *models, benchmark=hidden.reference)
    assert refused.status_code == 404
    assert "Held" not in page_of(client_for(stranger), *models).content.decode()
    assert "Held" in page_of(client_for(insider), *models).content.decode()
    secret = make_scored(namespace, name="secret-model", visibility=Visibility.PRIVATE)
    assert page_of(client_for(stranger), models[0], secret).status_code == 404
    assert api_for(stranger).get("/api/compare", _query(models[0], secret)).status_code == 404
    assert page_of(client_for(insider), models[0], secret).status_code == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 200),
        ({"a": "no-name"}, 400),
        ({"a": "no/where"}, 404),
        ({"benchmark": "no/where:x.yaml"}, 404),
        ({"benchmark": "???"}, 400),
        ({"m": [f"x/y{n}" for n in range(9)]}, 400),
    ],
)
def test_what_is_asked_for_is_found_or_refused(client_for, query, status):
    response = client_for(make_user()).get("/-/compare", query)
    assert response.status_code == status
    if status == 200:
        assert "Choose what to compare" in response.content.decode()


def test_checked_rows_of_a_board_arrive_as_sides(benchmark, client_for):
    one, other = two(benchmark)
    query = {"m": [one.repo_id, other.repo_id], "benchmark": benchmark.reference}
    assert "B − A" in client_for().get("/-/compare", query).content.decode()
    board = client_for().get(benchmark.get_absolute_url()).content.decode()
    assert 'action="/-/compare"' in board and f'value="{one.repo_id}' in board


def test_the_api_tells_the_same(benchmark, api_for):
    one, other = two(benchmark)
    gap = make_scored()
    query = _query(one, other, gap, benchmark=benchmark.reference)
    told = api_for().get("/api/compare", query).json()
    assert [side["state"] for side in told["sides"]] == ["ok", "ok", "not-run"]
    first, second, third = told["pairs"]
    assert (third["first"], third["second"], third["comparable"]) == ("b", "c", False)
    assert (first["n"], first["delta"]) == (120, pytest.approx(2 / 120))
    assert first["overlap"]["both"] == 114 and first["better"] is None
    assert (second["comparable"], second["delta"]) == (False, None)
    assert second["reason"] and told["sides"][0]["calibration"]["n"] == 120
    assert told["shared"][0]["states"] == {"a": "ok", "b": "ok", "c": "not-run"}
    assert api_for().get("/api/compare", {"a": one.repo_id}).status_code == 400
    assert api_for().get("/api/compare").status_code == 400
    kept = pair(*_rows(benchmark, one, other))
    assert kept["delta"] == first["delta"]


def _rows(benchmark, one, other):
    rows = [Evaluation.objects.get(repository=model) for model in (one, other)]
    return benchmark, *rows, benchmark.metric_named("")
