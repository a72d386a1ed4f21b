"""Boards: each model once, in groups that its items can tell apart; what is not ranked says why."""

from __future__ import annotations

import csv
import io
import json
import random
import time
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

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
    TEXT,
    VERSIONS,
    evaluate,
    make_benchmark,
    make_scored,
    reweigh,
    rows_of,
)
from tests.training.factories import make_run
from training.actions.leaderboard_filters import Filters
from training.actions.leaderboards import board_of, boards, find_benchmarks
from training.models import Evaluation, Origin, Run, RunKind, RunStatus

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


def board(benchmark, by=None, **more):
    digests = find_benchmarks(benchmark.repository, benchmark.path, actor(by))
    return board_of(digests, actor(by), **more)


def names(entries):
    return [entry.repository.name for entry in entries]


def state_of(found, model):
    return next(entry for entry in found.apart if entry.repository.pk == model.pk).state


# Ranks -------------------------------------------------------------------------------------------


def test_models_that_the_items_cannot_tell_apart_share_a_rank(benchmark):
    good = make_scored(name="good")
    evaluate(good, benchmark, {1})
    for name, wrong in (("fine", range(40, 60)), ("alike", range(41, 60))):
        evaluate(make_scored(name=name), benchmark, set(wrong))
    evaluate(make_scored(name="bad"), benchmark, set(range(80)))
    found = board(benchmark)
    assert names(found.ranked) == ["good", "alike", "fine", "bad"]
    ranks = [(e.place.low, e.place.high, e.place.group) for e in found.ranked]
    assert ranks == [(1, 1, 0), (2, 3, 1), (2, 3, 1), (4, 4, 2)]
    assert found.ranked[0].value == pytest.approx(119 / 120)
    assert found.ranked[0].lower < found.ranked[0].value < found.ranked[0].upper


def test_a_model_stands_once_by_what_was_measured_of_its_head(benchmark):
    model = make_scored(name="moves")
    evaluate(model, benchmark, set(range(60)))
    reweigh(model, b"better")
    evaluate(model, benchmark, {3})
    (entry,) = board(benchmark).ranked
    assert (entry.version, entry.value) == ("head", pytest.approx(119 / 120))
    # A commit that leaves the model alone leaves its score alone.
    commit_files(model, {"README.md": b"# Words"})
    model.head_oid = model.store().resolve("main")
    model.save()
    assert board(benchmark).ranked[0].version == "head"
    reweigh(model, b"newest, not measured")
    (entry,) = board(benchmark).ranked
    assert (entry.version, entry.value) == ("earlier", pytest.approx(119 / 120))


def test_a_merge_that_was_measured_as_a_tree_can_be_compared(benchmark, client_for):
    model = make_scored(name="merged")
    tree = "a" * 40  # what a gate measures: no commit of the branch
    evaluate(model, benchmark, {3}, revision="main")
    Evaluation.objects.update(revision=tree)
    (entry,) = board(benchmark).ranked
    assert entry.version == "head"
    page = client_for().get(benchmark.get_absolute_url()).content.decode()
    assert f'value="{model.repo_id}"' in page and tree not in page


def test_a_proposal_never_stands_for_a_model(benchmark):
    model = make_scored()
    store = model.store()
    store.move_ref("refs/pr/1", new=store.resolve("main"), old=None)
    commit_files(model, {"model.safetensors": b"proposed"}, ref="refs/pr/1")
    run = make_run(model, kind=RunKind.EVALUATE, spec={"is_proposal": True, "inputs": []})
    evaluate(model, benchmark, revision="refs/pr/1", run=run)
    gate = make_run(model, kind=RunKind.COMPARE, spec={"inputs": []})
    evaluate(model, benchmark, revision="refs/pr/1", run=gate, settings=SETTINGS | {"threads": 9})
    assert board(benchmark).entries == []
    store.move_ref("refs/heads/other", new=store.resolve("main"), old=None)
    commit_files(model, {"model.safetensors": b"other"}, ref="refs/heads/other")
    taken = make_run(model, kind=RunKind.EVALUATE, spec={"is_proposal": False, "inputs": []})
    evaluate(model, benchmark, revision="refs/heads/other", run=taken)
    (entry,) = board(benchmark).ranked
    assert entry.version == "other"


def test_what_is_not_alike_stands_apart_and_moves_no_rank(benchmark):
    ranked = [make_scored(name=f"ranked{n}") for n in range(2)]
    evaluate(ranked[0], benchmark, set(range(30)))
    evaluate(ranked[1], benchmark, set(range(50)), settings=SETTINGS | {"dtype": "bfloat16"})
    alone = {name: make_scored(name=name) for name in ("batch", "newer", "part", "said")}
    evaluate(alone["batch"], benchmark, settings=SETTINGS | {"batch_tokens": 512})
    evaluate(alone["newer"], benchmark, versions=VERSIONS | {"torch": "2.14.0"})
    evaluate(alone["part"], benchmark, limit=100)
    evaluate(alone["said"], benchmark, **REPORTED)
    found = board(benchmark)
    assert names(found.ranked) == ["ranked0", "ranked1"], "the precision is the model's own"
    assert [entry.place.low for entry in found.ranked] == [1, 2]
    states = {"batch": "other-settings", "newer": "other-settings", "part": "partial"}
    for name, state in {**states, "said": "reported"}.items():
        assert state_of(found, alone[name]) == state
        assert all(entry.place is None for entry in found.apart)


def test_a_board_of_what_was_measured_in_part_says_so_and_how_to_finish(benchmark, client_for):
    model = make_scored(name="stopped")
    evaluate(model, benchmark, limit=70)
    url = benchmark.get_absolute_url()
    page = client_for(make_user()).get(url).content.decode()
    assert "Measured in part" in page and "has been measured with this version" not in page
    finish = f"{model.get_absolute_url()}/evaluate?benchmark="
    assert finish in page and "measure the rest" in page
    assert finish not in client_for().get(f"{url}?embed=1").content.decode()


def test_the_board_of_a_benchmark_without_a_model_takes_the_first(client_for, api_for):
    data = make_repository(kind=Kind.DATASET)
    text = TEXT.replace("NAME", "new").replace("ALIAS", "New").replace("MORE", "")
    rows = "".join(json.dumps(row) + "\n" for row in rows_of(20))
    commit_files(data, {"new.yaml": text.encode(), "new.jsonl": rows.encode()})
    url, api = f"{data.get_absolute_url()}/leaderboard/new.yaml", f"/{data.api_path}/leaderboard"
    page = client_for(make_user()).get(url)
    assert page.status_code == 200 and "Submit the first one" in page.content.decode()
    told = api_for().get(f"{api}/new.yaml").json()
    assert (told["name"], told["digest"], told["ranked"]) == ("New", None, [])
    assert client_for().get(f"{url}?embed=1").status_code == 404
    model = make_scored()
    assert client_for(make_user()).post(url, {"model": model.repo_id}).status_code == 302
    assert Run.objects.get().spec["benchmarks"][0]["path"] == "new.yaml"


def test_a_report_never_has_a_rank_and_shows_where_it_would_stand(benchmark):
    evaluate(make_scored(name="here"), benchmark, set(range(40)))
    said = make_scored(name="said")
    row = evaluate(said, benchmark, set(), **REPORTED)
    found = board(benchmark)
    assert names(found.ranked) == ["here"] and found.ranked[0].place.low == 1
    (entry,) = found.apart
    assert (entry.place, entry.would.low, entry.would.high) == (None, 1, 1)
    for source in ({"paired_metrics": []}, {"paired_metrics": ["acc"], "asked": "otherwise"}):
        row.source = source
        row.save()
        assert board(benchmark).apart[0].would is None
    # What ran here takes its place, whatever was said, and what was said stands beside it.
    measured = evaluate(said, benchmark, set(range(80)))
    found = board(benchmark)
    assert names(found.ranked) == ["here", "said"]
    (entry,) = found.apart
    assert (entry.state, entry.would, entry.evaluation.pk) == ("reported", None, row.pk)
    assert entry.measured.evaluation.pk == measured.pk and entry.contradicts


def test_a_report_that_a_measurement_contradicts_says_so(benchmark, api_for, client_for):
    model = make_scored(name="both")
    evaluate(model, benchmark, set(range(30)))
    evaluate(model, benchmark, set(range(29)), **REPORTED)
    wide = REPORTED | {"settings_digest": "d" * 64}
    evaluate(model, benchmark, set(), **wide)
    path = f"{benchmark.repository.api_path}/leaderboard/{benchmark.path}"
    told = api_for().get(f"/{path}").json()
    assert [row["origin"] for row in told["ranked"]] == ["here"]
    assert told["ranked"][0]["measured"] is None and not told["ranked"][0]["contradicts"]
    assert [(row["origin"], row["contradicts"]) for row in told["apart"]] == [
        ("reported", True),
        ("reported", False),
    ]
    assert told["apart"][0]["measured"]["value"] == pytest.approx(0.75)
    page = client_for().get(benchmark.get_absolute_url()).content.decode()
    assert page.count("measured here: 75.0") == 2
    assert page.count("contradicts the measurement: outside of its interval") == 1
    # Other weights have another score: nothing is contradicted by these.
    reweigh(model, b"later")
    evaluate(model, benchmark, set(range(60)))
    cache.clear()
    rows = api_for().get(f"/{path}").json()["apart"]
    assert [(row["version"], row["contradicts"]) for row in rows] == [("earlier", False)] * 2


def test_a_metric_that_a_benchmark_lacks_is_none(benchmark, api_for, client_for):
    model = make_scored()
    evaluate(model, benchmark)
    path = f"/{benchmark.repository.api_path}/leaderboard/{benchmark.path}?metric=nope"
    compare = f"/api/compare?a={model.repo_id}&b={make_scored().repo_id}&metric=nope"
    for address in (path, f"{compare}&benchmark={benchmark.reference}"):
        refused = api_for().get(address)
        assert refused.status_code == 404
        assert "has no metric 'nope': it has acc" in refused.json()["error"]
    assert client_for().get(f"{benchmark.get_absolute_url()}?metric=nope").status_code == 404
    assert api_for().get(path.replace("nope", "acc")).status_code == 200


def test_a_number_in_a_card_is_marked_and_not_ranked(benchmark):
    evaluate(make_scored(name="here"), benchmark, set(range(40)))
    result = {
        "task": {"type": "text-generation"},
        "dataset": {"type": benchmark.repository.repo_id, "name": "Words"},
        "metrics": [{"type": "accuracy", "value": 99.5}],
    }
    card = {"model-index": [{"name": "x", "results": [result]}]}
    make_scored(name="claims", card_data=card)
    other = {**result, "dataset": {**result["dataset"], "name": "another task"}}
    make_scored(name="other", card_data={"model-index": [{"name": "x", "results": [other]}]})
    broken = {"model-index": [{"results": [{"dataset": result["dataset"], "metrics": "x"}]}, 4]}
    make_scored(name="broken", card_data=broken)
    written = {"dataset": {"id": benchmark.repository.repo_id, "task_id": "words"}, "value": 0.4}
    make_scored(name="file", facts={"evalResults": [{"filename": "x", "data": written}]})
    found = board(benchmark)
    assert names(found.ranked) == ["here"]
    assert [(e.repository.name, e.value, e.state) for e in found.apart] == [
        ("claims", 0.995, "card"),
        ("file", 0.4, "card"),
    ]


def test_digests_are_never_mixed_and_earlier_ones_can_be_chosen(benchmark, client_for):
    model = make_scored(name="both")
    evaluate(model, benchmark, set(range(10)))
    newer = make_benchmark(benchmark.repository, count=130)
    assert newer.digest != benchmark.digest
    evaluate(model, newer, set(range(50)))
    assert board(newer).ranked[0].value == pytest.approx(80 / 130)
    earlier = board(newer, digest=benchmark.digest[:12])
    assert earlier.ranked[0].value == pytest.approx(110 / 120) and not earlier.is_newest
    url = newer.get_absolute_url()
    page = client_for().get(f"{url}?digest={benchmark.digest[:12]}").content.decode()
    assert "91.7" in page and "earlier version of the benchmark" in page and "61.5" not in page
    assert client_for().get(f"{url}?digest=0000000").status_code == 404


def test_lower_is_better_where_the_metric_says_so():
    text = "metric_list: [{metric: brier}]\nweighbridge:"
    from tests.training import board_making

    changed = board_making.TEXT.replace("weighbridge:", text)
    benchmark = make_benchmark(text=changed)
    for name, score in (("low", 0.1), ("high", 0.9)):
        _brier(make_scored(name=name), benchmark, score)
    assert names(board(benchmark).ranked) == ["low", "high"]


def _brier(model, benchmark, score):
    """An evaluation whose items all have nearly this score."""
    from hub.actions import large_files
    from training.jobs.benchmarks import pinned_of
    from training.jobs.items import Item, write_items

    issued = pinned_of(benchmark.spec).items()
    items = [Item(each.id, {"brier": score + 0.01 * (n % 3)}) for n, each in enumerate(issued)]
    blob = write_items(model.blobs(), items)
    large_files.link(model, blob)
    oid = model.store().resolve("main")
    Evaluation.objects.create(
        repository=model, benchmark=benchmark, model_digest=oid, revision=oid,
        benchmark_digest=benchmark.digest, settings_digest="1" * 64, protocol_digest="2" * 64,
        items_sha256=blob.sha256, item_count=len(items),
        scores={"brier": {"value": score, "lower": score - 0.01, "upper": score + 0.01}},
    )  # fmt: skip


def test_item_results_that_are_gone_leave_a_model_unranked(benchmark):
    kept, lost = make_scored(name="kept"), make_scored(name="lost")
    evaluate(kept, benchmark)
    row = evaluate(lost, benchmark, {5})
    lost.blobs().delete(row.items_sha256)
    found = board(benchmark)
    assert names(found.ranked) == ["kept"]
    assert [(e.repository.name, e.state) for e in found.apart] == [("lost", "gone")]


# Who sees what -----------------------------------------------------------------------------------


def test_private_models_stand_only_where_they_may_be_seen(benchmark, client_for, api_for):
    namespace = make_organization()
    hidden = make_scored(namespace, name="secret-one", visibility=Visibility.PRIVATE)
    evaluate(hidden, benchmark)
    evaluate(make_scored(name="open-one"), benchmark, {1, 2})
    insider = make_member(namespace, access=Access.READ)
    url, api = benchmark.get_absolute_url(), f"/{benchmark.repository.api_path}"
    for client, sees in ((client_for(), False), (client_for(insider), True)):
        page = client.get(url).content.decode()
        assert "open-one" in page and ("secret-one" in page) is sees
    # Another site's frame shows what everybody sees, whoever looks.
    assert "secret-one" not in client_for(insider).get(f"{url}?embed=1").content.decode()
    for client, sees in ((api_for(), False), (api_for(insider), True)):
        for form in ("json", "csv"):
            text = client.get(f"{api}/leaderboard/words.yaml?format={form}").content.decode()
            assert ("secret-one" in text) is sees


def test_boards_of_hidden_benchmarks_and_private_data_are_for_their_readers(client_for, api_for):
    namespace = make_organization()
    insider = make_member(namespace, access=Access.READ)
    private = make_repository(namespace, kind=Kind.DATASET, visibility=Visibility.PRIVATE)
    rows = make_benchmark(private, "private", count=20, person=insider)
    gated = make_repository(namespace, kind=Kind.DATASET, gated="manual")
    held = make_benchmark(gated, "held", count=20, more=", hidden: true", person=insider)
    stranger = make_user()
    for row, closed in ((rows, (401, 404)), (held, (401, 403))):
        evaluate(make_scored(), row)
        url = row.get_absolute_url()
        assert client_for(insider).get(url).status_code == 200
        assert client_for(stranger).get(url).status_code in closed
        assert client_for(insider).get(f"{url}?embed=1").status_code in closed
        api = f"/{row.repository.api_path}/leaderboard/{row.path}"
        assert api_for(stranger).get(api).status_code in closed
        assert api_for(insider).get(api).status_code == 200
        listed = client_for(stranger).get("/-/leaderboards").content.decode()
        assert row.path not in listed
        assert row.path in client_for(insider).get("/-/leaderboards").content.decode()
        assert row.path not in api_for(stranger).get("/api/leaderboards").content.decode()


def test_a_page_for_other_sites_has_no_frame_and_may_stand_in_one(benchmark, client_for):
    evaluate(make_scored(), benchmark)
    url = benchmark.get_absolute_url()
    framed = client_for().get(f"{url}?embed=1")
    assert "frame-ancestors *" in framed["Content-Security-Policy"]
    assert "script-src 'self'" in framed["Content-Security-Policy"]
    assert "X-Frame-Options" not in framed
    page = framed.content.decode()
    assert "<form" not in page and "<script" not in page and 'class="top"' not in page
    usual = client_for().get(url)
    assert "frame-ancestors 'none'" in usual["Content-Security-Policy"]
    assert usual["X-Frame-Options"] == "DENY"
    assert client_for().post(f"{url}?embed=1").status_code == 302, "a form is never framed"


# What one may ask --------------------------------------------------------------------------------


def test_filters_choose_models_and_ranks_are_among_those(benchmark, client_for):
    for name, total, licence, language, library in (
        ("small", 100_000_000, "mit", "en", "transformers"),
        ("large", 7_000_000_000, "apache-2.0", ["en", "zh"], "transformers"),
        ("other", None, None, None, "gguf"),
    ):
        card = {"license": licence, "language": language} if licence else None
        model = make_scored(
            name=name,
            parameters={"total": total} if total else None,
            card_data=card,
            library_name=library,
            size_bytes=(total or 10) * 2,
        )
        evaluate(model, benchmark, set(range(len(name))))
    for query, wanted in (
        ({"parameters": "1B"}, {"small"}),
        ({"size": "1GB"}, {"small", "other"}),
        ({"licence": "apache-2.0"}, {"large"}),
        ({"language": "en"}, {"small", "large"}),
        ({"library": "gguf"}, {"other"}),
        ({"library": "none"}, set()),
    ):
        found = board(benchmark, filters=Filters.of(query))
        assert set(names(found.entries)) == wanted, query
        assert all(entry.place.low == 1 for entry in found.ranked)
    facets = board(benchmark).facets
    assert dict(facets.languages) == {"en": 2, "zh": 1}
    url = benchmark.get_absolute_url()
    assert "No model matches" in client_for().get(f"{url}?licence=none").content.decode()
    assert client_for().get(f"{url}?parameters=lots").status_code == 400


@pytest.mark.parametrize(
    ("sort", "first"), [("rank", "b"), ("name", "a"), ("size", "c"), ("date", "c"), ("x", "b")]
)
def test_rows_can_be_ordered(benchmark, client_for, sort, first):
    for name, wrong, total in (("a", 60, 30), ("b", 10, 20), ("c", 90, 10)):
        model = make_scored(name=f"model-{name}", parameters={"total": total})
        evaluate(model, benchmark, set(range(wrong)))
    page = client_for().get(f"{benchmark.get_absolute_url()}?sort={sort}").content.decode()
    places = {name: page.index(f"model-{name}</a>") for name in "abc"}
    assert min(places, key=places.__getitem__) == first


def test_the_api_tells_ranks_intervals_and_reasons_and_a_table(benchmark, api_for):
    evaluate(make_scored(name="good", card_data={"license": "=cmd()"}), benchmark, {1})
    evaluate(make_scored(name="part"), benchmark, limit=100)
    path = f"/{benchmark.repository.api_path}/leaderboard/words.yaml"
    told = api_for().get(path).json()
    assert (told["digest"], told["items"]) == (benchmark.digest, 120)
    (row,) = told["ranked"]
    assert (row["rankLow"], row["rankHigh"], row["origin"]) == (1, 1, "here")
    assert row["lower"] < row["value"] < row["upper"] and row["dtype"] == "float32"
    assert told["apart"][0]["reason"] == "measured in part, not ranked until it is finished"
    response = api_for().get(f"{path}?format=csv")
    assert response["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [line["state"] for line in rows] == ["ranked", "partial"]
    assert rows[0]["licence"] == "'=cmd()", "no spreadsheet runs it"
    assert float(rows[0]["lower"]) == row["lower"] and rows[1]["rankLow"] == ""
    for wrong in ("format=xml", "sort=luck", "size=x", "digest=0000000", "parameters=7BB"):
        assert api_for().get(f"{path}?{wrong}").status_code in (400, 404)
    assert api_for().get(path.replace("words", "none")).status_code == 404
    (listed,) = api_for().get("/api/leaderboards").json()["leaderboards"]
    assert (listed["benchmark"], listed["models"]) == (benchmark.reference, 2)


# Submitting --------------------------------------------------------------------------------------


def test_any_model_that_one_may_read_can_be_submitted(benchmark, client_for):
    model, person = make_scored(), make_user()
    url = benchmark.get_absolute_url()
    assert client_for().post(url, {"model": model.repo_id}).status_code == 302
    response = client_for(person).post(url, {"model": model.repo_id, "revision": "main"})
    assert response.status_code == 302, response.context["form"].errors
    run = Run.objects.get()
    assert (run.kind, run.created_by, run.repository) == (RunKind.EVALUATE, person, model)
    assert run.spec["benchmarks"][0]["digest"] == benchmark.digest
    page = client_for().get(url).content.decode()
    assert f"{model.get_absolute_url()}/runs/1" in page and "Place 1 in the queue" in page
    for form, words in (
        ({"model": "no/where"}, "There is no model no/where"),
        ({"model": model.repo_id, "revision": "none"}, "none"),
        ({"model": ""}, "required"),
    ):
        refused = client_for(person).post(url, form)
        assert refused.status_code == 422
        assert words in str(refused.context["form"].errors)
    secret = make_scored(visibility=Visibility.PRIVATE)
    assert client_for(person).post(url, {"model": secret.repo_id}).status_code == 422
    assert Run.objects.count() == 1


def test_the_queue_says_where_a_run_stands_and_why_it_waits(benchmark, settings, api_for):
    settings.RUN_RUNNING_LIMIT_PER_USER = 1
    busy, free = make_user(), make_user()
    place = {"repository_id": benchmark.repository_id, "path": benchmark.path}
    spec = {"benchmarks": [place], "inputs": []}
    make_run(by=free)
    until = timezone.now() + timedelta(minutes=1)
    running = {"status": RunStatus.RUNNING, "lease_ends_at": until}
    progress = {"done": 12, "total": 120}
    make_run(by=busy, kind=RunKind.EVALUATE, spec=spec, progress=progress, **running)
    make_run(by=busy, kind=RunKind.EVALUATE, spec=spec)
    make_run(by=free, kind=RunKind.EVALUATE, spec=spec)
    secret = make_scored(visibility=Visibility.PRIVATE)
    make_run(secret, by=free, kind=RunKind.EVALUATE, spec=spec)
    path = f"/{benchmark.repository.api_path}/leaderboard/words.yaml"
    queue = api_for().get(path).json()["queue"]
    assert [(each["position"], each["reason"]) for each in queue] == [
        (None, "12 of 120 items."),
        (2, f"{busy.username} has 1 runs at work, as many as one may have at a time."),
        (3, "2 runs wait before it."),
    ]


# Lists, sets, speed ------------------------------------------------------------------------------


def test_boards_are_listed_for_all_and_for_their_data_set(benchmark, client_for):
    evaluate(make_scored(), benchmark)
    make_benchmark(benchmark.repository, "unused", count=20)
    (first, second) = boards(actor(), repository=benchmark.repository)
    assert (first.benchmark.path, first.models, second.models) == ("words.yaml", 1, 0)
    index = client_for().get("/-/leaderboards").content.decode()
    assert "words.yaml" in index and "unused.yaml" not in index
    data = benchmark.repository
    page = client_for().get(f"{data.get_absolute_url()}/leaderboards").content.decode()
    assert "unused.yaml" in page and "not run" in page
    assert (
        f'{data.get_absolute_url()}/leaderboards"'
        in client_for().get(data.get_absolute_url()).content.decode()
    ), "the data set has a tab"
    plain = make_repository(kind=Kind.DATASET)
    assert "Leaderboards" not in client_for().get(plain.get_absolute_url()).content.decode()


SUITE = b"""\
group: two
group_alias: Two ways
task: [words.yaml, more.yaml]
aggregate_metric_list: [{metric: acc, weight_by_size: SIZE}]
"""


def suite(benchmark, by_size="false", **more):
    data = benchmark.repository
    other = make_benchmark(data, "more", count=60, **more)
    commit_files(data, {"two.yaml": SUITE.replace(b"SIZE", by_size.encode())})
    return other, f"/{data.api_path}/leaderboard/two.yaml"


def test_a_set_is_ranked_by_the_average_over_its_tasks(benchmark, api_for, client_for):
    other, path = suite(benchmark)
    for name, first, second in (("a", 10, 5), ("b", 80, 40), ("c", 82, 41)):
        model = make_scored(name=name)
        evaluate(model, benchmark, set(range(first)))
        evaluate(model, other, set(range(second)))
    half = make_scored(name="half")
    evaluate(half, benchmark)
    told = api_for().get(path).json()
    assert [(row["model"].partition("/")[2], row["rankLow"], row["rankHigh"])
            for row in told["ranked"]] == [("a", 1, 1), ("b", 2, 3), ("c", 2, 3)]  # fmt: skip
    first = told["ranked"][0]
    assert first["value"] == pytest.approx((110 / 120 + 55 / 60) / 2)
    errors = [(score["upper"] - score["lower"]) / 2 for score in first["scores"].values()]
    reach = sum(error**2 for error in errors) ** 0.5 / 2  # gate-methods, section 6
    assert first["upper"] - first["value"] == pytest.approx(reach, rel=1e-6)
    (row,) = told["apart"]
    assert row["state"] == "incomplete" and row["value"] is None
    page = client_for(make_user()).get(path.replace("/api/datasets/", "/datasets/"))
    text = page.content.decode()
    assert "not run" in text and "Run what is missing" in text
    csv_text = api_for().get(f"{path}?format=csv").content.decode()
    assert csv_text.splitlines()[0].endswith(f"{benchmark.reference},{other.reference}")


def test_an_average_by_size_counts_every_item_alike(benchmark, api_for):
    other, path = suite(benchmark, by_size="true")
    model = make_scored()
    evaluate(model, benchmark, set(range(60)))
    evaluate(model, other)
    (row,) = api_for().get(path).json()["ranked"]
    assert row["value"] == pytest.approx((60 + 60) / 180)


def test_units_that_differ_have_no_average(benchmark, api_for, client_for):
    from tests.training import board_making

    changed = board_making.TEXT.replace(
        "weighbridge:", "metric_list: [{metric: brier}]\nweighbridge:"
    )
    other, path = suite(benchmark, text=changed)
    model = make_scored()
    evaluate(model, benchmark)
    _brier(model, other, 0.2)
    told = api_for().get(path).json()
    assert told["ranked"] == [] and told["metric"] is None
    page = client_for().get(path.replace("/api/datasets/", "/datasets/")).content.decode()
    assert "no average of them" in page and "0.200" in page


def test_what_is_missing_in_a_set_is_run_at_once(benchmark, client_for):
    other, _path = suite(benchmark)
    model = make_scored()
    evaluate(model, benchmark)
    url = f"{benchmark.repository.get_absolute_url()}/leaderboard/two.yaml"
    form = {"model": model.repo_id, "benchmark": [other.reference]}
    assert client_for(make_user()).post(url, form).status_code == 302
    assert [b["path"] for b in Run.objects.get().spec["benchmarks"]] == ["more.yaml"]


@pytest.mark.parametrize("path", ["none.yaml", "words.jsonl", "README.md", "x/y.yaml", "a%00b"])
def test_what_is_neither_a_benchmark_nor_a_set_is_not_there(benchmark, client_for, path):
    url = f"{benchmark.repository.get_absolute_url()}/leaderboard/{path}"
    assert client_for().get(url).status_code in (400, 404)
    assert client_for().get(f"{url}?embed=1").status_code in (400, 404)


def test_fifty_models_of_two_thousand_items_are_ranked_quickly_and_once(
    client_for, django_assert_max_num_queries
):
    benchmark = make_benchmark(count=2000)
    for number in range(50):
        drawn = random.Random(number)
        share = 0.2 + 0.01 * number
        evaluate(make_scored(), benchmark, {n for n in range(2000) if drawn.random() < share})
    url = benchmark.get_absolute_url()
    before = time.process_time()
    assert client_for().get(url).status_code == 200
    cold = time.process_time() - before
    before = time.process_time()
    with django_assert_max_num_queries(18):
        response = client_for().get(url)
    warm = time.process_time() - before
    assert cold < 6, cold
    assert warm < 1, warm
    assert len(response.content) < 100_000
