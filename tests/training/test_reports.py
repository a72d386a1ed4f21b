"""Evaluations made elsewhere: what lm-evaluation-harness wrote, kept as somebody's word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile

from hub.models import Access, Kind, Visibility
from tests.factories import (
    actor,
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_user,
)
from tests.training.factories import DATA, DATASETS, TINY, commit, large
from training.actions.comparing import compare_sides, read_sides
from training.actions.evaluating import submit_evaluation
from training.actions.leaderboards import board_of, find_benchmarks
from training.actions.reported_answers import scores_of
from training.actions.reporting import report_evaluation
from training.jobs.execute import execute
from training.jobs.items import read_items
from training.models import Benchmark, Evaluation, Origin
from training.specs.items import lm_eval_doc_hash

pytestmark = pytest.mark.django_db
RECORDED = DATA / "lm_eval"
RESULTS = (RECORDED / "results.json").read_bytes()
ROWS = (DATASETS / "blimp" / "test.jsonl").read_bytes().splitlines(keepends=True)
FILES = {
    "pairs": b"""\
task: pairs
test_split: rows
doc_to_text: ""
doc_to_choice: "{{[sentence_good, sentence_bad]}}"
doc_to_target: 0
target_delimiter: ""
metric_list: [{metric: acc}, {metric: acc_norm}]
weighbridge: {sample: {order: file, limit: 100}}
""",
    "bits": b"""\
task: bits
test_split: rows
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{sentence_good}} {{sentence_bad}}"
metric_list: [{metric: bits_per_byte}, {metric: byte_perplexity}]
weighbridge: {sample: {order: file, limit: 12}}
""",
    "last-word": b"""\
task: last-word
test_split: rows
output_type: generate_until
doc_to_text: "{{sentence_good}} And all of"
doc_to_target: the
generation_kwargs: {until: ["\\n"], max_gen_toks: 4, do_sample: false}
filter_list:
  - name: first-word
    filter: [{function: regex, regex_pattern: "([A-Za-z]+)"}, {function: take_first}]
metric_list: [{metric: exact_match}]
weighbridge: {sample: {order: file, limit: 12}}
""",
}


@pytest.fixture(autouse=True)
def _forget():
    cache.clear()


@pytest.fixture
def namespace():
    return make_organization()


@pytest.fixture
def data(namespace):
    files = {f"{name}.yaml": content for name, content in FILES.items()}
    files["rows.jsonl"] = b"".join(ROWS[:120])
    return make_repository(namespace, kind=Kind.DATASET, name="grammar", files=files)


@pytest.fixture
def model(namespace):
    """The model that the recorded files are about."""
    repository = make_repository(namespace, name="tiny")
    commit_files(
        repository, {p.name: p.read_bytes() for p in TINY.iterdir() if p.suffix == ".json"}
    )
    content = (TINY / "model.safetensors").read_bytes()
    commit(repository, [large(repository, "model.safetensors", content)])
    repository.head_oid = repository.store().resolve("main")
    repository.save()
    repository.access = Access.WRITE
    return repository


@pytest.fixture
def writer(namespace):
    return make_member(namespace, access=Access.WRITE)


def lines(task: str = "pairs") -> bytes:
    return (RECORDED / f"samples_{task}.jsonl").read_bytes()


def upload(name: str, content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def form(data, task="pairs", *, results=RESULTS, samples=b"", **more):
    sent = {
        "benchmark": f"{data.repo_id}:{task}.yaml",
        "task": task,
        "results": upload("results_2026.json", results),
    }
    if samples is not None:
        sent["samples"] = upload("samples.jsonl", samples or lines(task))
    return sent | more


def reports(model) -> str:
    return f"/{model.api_path}/evaluations/reports"


# Kept --------------------------------------------------------------------------------------------


def test_a_report_is_kept_item_by_item_and_says_that_it_is_one(api_for, model, data, writer):
    response = api_for(writer).post(reports(model), form(data))
    assert response.status_code == 201, response.content
    told = response.json()
    row = Evaluation.objects.get()
    assert (row.origin, row.reported_by, row.run) == (Origin.REPORTED, writer, None)
    assert (told["id"], told["items"], told["ofItems"]) == (row.pk, 100, 100)
    assert told["score"] == pytest.approx(0.46) and told["paired"] == ["acc", "acc_norm"]
    assert told["scores"]["acc_norm"]["value"] == pytest.approx(0.39)
    assert told["scores"]["acc"]["lower"] < 0.46 < told["scores"]["acc"]["upper"]
    assert told["asked"] == "unknown", "it was never asked here"
    items = read_items(model.blobs(), row.items_sha256)
    sample = json.loads(lines().splitlines()[0])
    first = next(item for item in items if item.loglikelihoods[0] == -103.5209732055664)
    assert first.metrics == {"acc": sample["acc"], "acc_norm": sample["acc_norm"]}
    assert (first.prediction, first.target) == (0, 0)
    assert row.settings["harness"] == "lm_eval 0.4.13" and row.settings["dtype"] == "float32"
    assert "/tmp" not in json.dumps([row.source, row.settings, told])
    assert row.model_digest and row.revision == model.head_oid


@pytest.mark.parametrize(
    ("task", "score", "metrics"),
    [
        ("bits", 3.4965769141601566, ["bits_per_byte", "byte_perplexity"]),
        ("last-word", 10 / 12, ["exact_match"]),
    ],
)
def test_every_kind_of_answer_can_be_reported(api_for, model, data, writer, task, score, metrics):
    told = api_for(writer).post(reports(model), form(data, task)).json()
    assert told["score"] == pytest.approx(score) and told["paired"] == metrics
    assert (told["items"], told["ofItems"]) == (12, 12)


def test_scores_alone_are_kept_with_their_standard_error(api_for, model, data, writer):
    told = api_for(writer).post(reports(model), form(data, samples=None)).json()
    reach = 1.959963985 * 0.05009082659620332
    assert told["scores"]["acc"] == pytest.approx(
        {"value": 0.46, "lower": 0.46 - reach, "upper": 0.46 + reach}
    )
    assert told["paired"] == [] and Evaluation.objects.get().items_sha256 == ""


def test_a_small_report_may_come_as_json(api_for, model, data, writer):
    samples = [json.loads(line) for line in lines("bits").splitlines()]
    body = {
        "benchmark": f"{data.repo_id}:bits.yaml",
        "task": "bits",
        "results": json.loads(RESULTS),
        "samples": samples,
    }
    response = api_for(writer).post(reports(model), body, content_type="application/json")
    assert response.status_code == 201, response.content
    assert response.json()["score"] == pytest.approx(3.4965769141601566)


def test_the_same_run_reported_again_is_the_report_that_is_there(api_for, model, data, writer):
    client = api_for(writer)
    for _ in range(2):
        assert client.post(reports(model), form(data)).status_code == 201
    assert Evaluation.objects.count() == 1
    other = json.loads(RESULTS)
    other["config"]["model_args"]["dtype"] = "bfloat16"
    other = form(data, results=json.dumps(other).encode())
    assert client.post(reports(model), other).status_code == 201
    told = client.get(reports(model)).json()["reports"]
    assert len(told) == 2 and told[0]["reportedBy"] == writer.username


def test_other_numbers_never_write_over_an_earlier_report(api_for, model, data, writer):
    client = api_for(writer)
    first = client.post(reports(model), form(data, samples=None)).json()
    said = json.loads(RESULTS)
    for task in said["results"].values():
        for name in [each for each in task if each.startswith("acc,")]:
            task[name] = 0.123
    other = client.post(
        reports(model), form(data, results=json.dumps(said).encode(), samples=None)
    ).json()
    assert other["id"] != first["id"] and other["score"] == 0.123
    kept = client.get(f"{reports(model)}/{first['id']}").json()
    assert kept["score"] == first["score"]


@pytest.mark.parametrize("value", [7.5, -3])
def test_a_number_that_the_metric_cannot_have_is_refused(api_for, model, data, writer, value):
    said = json.loads(RESULTS)
    for task in said["results"].values():
        for name in [each for each in task if each.startswith("acc,")]:
            task[name] = value
    sent = form(data, results=json.dumps(said).encode(), samples=None)
    refused = api_for(writer).post(reports(model), sent)
    assert refused.status_code == 400 and "runs from 0 to 1" in refused.json()["error"]
    assert not Evaluation.objects.exists()


def test_a_report_is_about_the_revision_that_it_names(api_for, model, data, writer):
    before = model.head_oid
    commit_files(model, {"model.safetensors": b"others"})
    told = api_for(writer).post(reports(model), form(data, revision=before)).json()
    assert told["revision"] == before
    refused = api_for(writer).post(reports(model), form(data, revision="none"))
    assert refused.status_code == 404


# Refused -----------------------------------------------------------------------------------------


def changed(change) -> bytes:
    rows = [json.loads(line) for line in lines().splitlines()]
    change(rows)
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.pop(), "1 of the 100 items of the benchmark have no sample"),
        (lambda rows: rows.append(rows[3]), "the same row more than once"),
        (lambda rows: rows[0].update(doc_hash="0" * 64), "are of rows that are none"),
        (lambda rows: rows[0].update(acc=float("nan")), "NaN"),
        (lambda rows: rows[0].update(acc=0.5), "acc is 0.5 and its own"),
        (lambda rows: rows[5].update(acc=1.0 - rows[5]["acc"]), "Line 6 of the samples"),
        (lambda rows: [row.update(acc=1.0) for row in rows], "its own log-likelihoods give 0"),
        (lambda rows: [row.update(acc_norm=1.0) for row in rows], "acc_norm is 1 and its own"),
        (lambda rows: [row.update(target="1") for row in rows], "its target is '1', and the"),
        (lambda rows: rows[2].update(filtered_resps=[["5", "True"], ["-1", "True"]]), "above 0"),
        (lambda rows: rows[2].update(filtered_resps=[["-1", "True"]]), "1 log-likelihoods for 2"),
        (lambda rows: rows[2].update(filtered_resps=[]), "0 log-likelihoods for 2"),
        (lambda rows: rows[2].update(prompt_hash="0" * 64), "not those of the task pairs"),
        (lambda rows: rows[0].update(filtered_resps=[["nan", "True"]] * 2), "no finite number"),
        (lambda rows: (rows[0].pop("acc_norm"), rows[0].update(metrics=["acc"])), "no score for"),
    ],
)
def test_what_does_not_fit_refuses_the_whole_report(api_for, model, data, writer, change, words):
    response = api_for(writer).post(reports(model), form(data, samples=changed(change)))
    assert response.status_code == 400
    assert words in response.json()["error"]
    assert not Evaluation.objects.exists() and not Benchmark.objects.exists()


def test_a_tie_counts_as_it_does_here(api_for, model, data, writer):
    """The harness takes the first of equals, which is the right one in every row of these."""

    def equal(rows):
        at = next(place for place, row in enumerate(rows) if row["acc"] == 1.0)
        rows[at]["filtered_resps"][1] = rows[at]["filtered_resps"][0]
        for row in rows:  # what the line then says of its lengths is no matter here
            row.pop("acc_norm"), row.update(metrics=["acc"])

    told = api_for(writer).post(reports(model), form(data, samples=changed(equal)))
    assert told.status_code == 201, told.content
    row = Evaluation.objects.get()
    assert row.score == pytest.approx(0.45), "46 were said to be right, and one of them is a tie"
    tied = [item for item in read_items(model.blobs(), row.items_sha256) if item.tie]
    assert [item.metrics["acc"] for item in tied] == [0.0]


def test_a_half_for_equal_sentences_of_a_pair():
    assert scores_of("pct_stereotype", [-2.0, -2.0], frozenset([0]))[0] == 0.5
    assert scores_of("pct_stereotype", [-2.0, -3.0], frozenset([0])) == [1.0]
    assert scores_of("acc", [-3.0, -2.0], frozenset([0])) == [0.0]
    assert set(scores_of("acc", [-2.0, -2.0, -3.0], frozenset([0]))) == {0.0, 1.0}
    assert scores_of("acc", [-2.0, -2.0, -3.0], frozenset([2])) == [0.0]


@pytest.mark.parametrize(
    ("field", "told", "status"),
    [
        ("{{answer}}", "good", 201),
        ("answer", "0", 201),
        ("answer", "bad", 400),
        ("answer", "['good']", 201),
        ("answer", "[0, 1]", 400),
        ("{{answer|lower}}", "bad", 201),  # a template: nobody but the runner can tell
    ],
)
def test_the_right_answer_is_the_benchmarks_own(api_for, model, data, writer, field, told, status):
    rows = [{"q": f"{n}?", "answer": "good"} for n in range(3)]
    text = f"""\
task: words
test_split: words
doc_to_text: "{{{{q}}}}"
doc_to_choice: [good, bad]
doc_to_target: "{field}"
metric_list: [{{metric: acc}}]
"""
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    commit_files(data, {"words.yaml": text.encode(), "words.jsonl": lines})
    right = 1.0 if told in ("good", "0", "['good']") else 0.0
    numbers = [["-1", "True"], ["-2", "False"]] if right else [["-2", "False"], ["-1", "True"]]
    samples = [
        {"doc_hash": lm_eval_doc_hash(row), "filter": "none", "metrics": ["acc"], "acc": right,
         "target": told, "filtered_resps": numbers}
        for row in rows
    ]  # fmt: skip
    body = {
        "benchmark": f"{data.repo_id}:words.yaml",
        "results": {"results": {"words": {"acc,none": right}}},
        "samples": samples,
    }
    response = api_for(writer).post(reports(model), body, content_type="application/json")
    assert response.status_code == status, response.content
    if status == 400:
        assert "and the benchmark's is 0" in response.json()["error"]


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.update(bits_per_byte=[-1.0, 89]),
        lambda row: row.update(filtered_resps=["2.5"], bits_per_byte=[2.5, 89]),
    ],
)
def test_bits_are_those_of_their_own_log_likelihood(api_for, model, data, writer, change):
    rows = [json.loads(line) for line in lines("bits").splitlines()]
    change(rows[4])
    samples = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    refused = api_for(writer).post(reports(model), form(data, "bits", samples=samples))
    assert refused.status_code == 400 and "Line 5 of the samples" in refused.json()["error"]


def renamed(name: str) -> bytes:
    """The recorded results of the pairs under another name, with the hash of their samples."""
    said = json.loads(RESULTS)
    for part in ("results", "task_hashes", "n-samples", "n-shot"):
        said[part][name] = said[part]["pairs"]
    return json.dumps(said).encode()


def test_results_of_another_task_are_refused_unless_their_hash_names_the_samples(
    api_for, model, data, writer
):
    client = api_for(writer)
    alone = form(data, results=renamed("other"), samples=None, task="pairs") | {"task": "other"}
    refused = client.post(reports(model), alone)
    assert refused.status_code == 400
    assert "of the task other, and the benchmark is pairs" in refused.json()["error"]
    both = form(data, results=renamed("other")) | {"task": "other"}
    assert client.post(reports(model), both).status_code == 201


def test_an_interval_ends_where_the_metric_does(api_for, model, data, writer):
    said = json.loads(RESULTS)
    said["results"]["pairs"] |= {"acc,none": 0.99, "acc_stderr,none": 0.04}
    said["results"]["pairs"] |= {"acc_norm,none": 0.01, "acc_norm_stderr,none": 0.04}
    sent = form(data, results=json.dumps(said).encode(), samples=None)
    told = api_for(writer).post(reports(model), sent).json()
    assert told["scores"]["acc"]["upper"] == 1.0 and told["scores"]["acc_norm"]["lower"] == 0.0


def test_more_rows_than_the_benchmark_takes_are_foreign(api_for, model, data, writer):
    text = FILES["pairs"].replace(b"limit: 100", b"limit: 99")
    commit_files(data, {"pairs.yaml": text})
    response = api_for(writer).post(reports(model), form(data))
    assert response.status_code == 400
    assert (
        "1 samples are of rows that are none of the benchmark's 99 items"
        in response.json()["error"]
    )


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"benchmark": "x"}, 400, "write namespace/name:benchmark.yaml"),
        ({"benchmark": "no/where:x.yaml"}, 404, "There is no data set"),
        ({"task": "nothing"}, 400, "has no task"),
        ({"task": ""}, 400, "several tasks"),
        ({"task": "bits"}, 400, "hold no number for acc"),
        ({"results": upload("r.json", b"{")}, 400, "not valid JSON"),
        ({"results": upload("r.json", b" " * (4 * 1024**2 + 1))}, 413, "exceeds"),
        ({"results": "text"}, 400, "results"),
        ({"samples": upload("s.jsonl", b"")}, 400, "empty"),
    ],
)
def test_a_report_says_what_is_wrong_with_it(api_for, model, data, writer, change, status, words):
    response = api_for(writer).post(reports(model), form(data, samples=None) | change)
    assert response.status_code == status, response.content
    assert words in response.json()["error"]
    assert not Evaluation.objects.exists()


def test_too_large_a_body_is_refused_before_it_is_read(api_for, model, writer):
    client = api_for(writer)
    response = client.post(
        reports(model), b"x", content_type="multipart/form-data; boundary=b",
        headers={"content-length": str(2**30)},
    )  # fmt: skip
    assert response.status_code == 413
    for body, kind in ((b"--b\r\n", "multipart/form-data; boundary=b"), (b"[]", "text/csv")):
        assert client.post(reports(model), body, content_type=kind).status_code in (400, 415)


def test_reports_are_limited_in_number(api_for, model, data, writer, monkeypatch):
    monkeypatch.setattr("training.actions.reporting.REPORTS_LIMIT", 1)
    assert api_for(writer).post(reports(model), form(data)).status_code == 201
    other = RESULTS.replace(b'"batch_size": "8"', b'"batch_size": "9"')
    refused = api_for(writer).post(reports(model), form(data, results=other))
    assert refused.status_code == 400 and "remove one" in refused.json()["error"]


# Who may -----------------------------------------------------------------------------------------


def test_only_those_who_may_write_speak_for_a_model(api_for, client_for, model, data, namespace):
    reader = make_member(namespace, access=Access.READ)
    page = f"{model.get_absolute_url()}/evaluations/report"
    for person, status in ((None, 401), (make_user(), 403), (reader, 403)):
        assert api_for(person).post(reports(model), form(data)).status_code == status
        assert client_for(person).get(page).status_code in (302, 403)
    assert not Evaluation.objects.exists()
    kept = make_member(namespace, access=Access.WRITE)
    told = api_for(kept).post(reports(model), form(data)).json()
    one = f"{reports(model)}/{told['id']}"
    assert api_for(reader).delete(one).status_code == 403
    assert api_for(reader).get(one).json()["id"] == told["id"]
    assert api_for(kept).delete(one).status_code == 204
    assert api_for(kept).delete(one).status_code == 404
    token = api_for(kept, scope="read")
    assert token.post(reports(model), form(data)).status_code == 403


def test_whoever_may_not_read_the_items_reports_nothing_about_them(api_for, model, writer):
    elsewhere = make_organization()
    private = make_repository(elsewhere, kind=Kind.DATASET, visibility=Visibility.PRIVATE)
    gated = make_repository(elsewhere, kind=Kind.DATASET, gated="manual")
    for repository, status in ((private, 404), (gated, 403)):
        commit_files(repository, {"pairs.yaml": FILES["pairs"], "rows.jsonl": ROWS[0]})
        refused = api_for(writer).post(reports(model), form(repository))
        assert refused.status_code == status
    assert not Evaluation.objects.exists()


def test_reports_on_private_data_are_listed_for_those_who_see_it(api_for, model, data, writer):
    api_for(writer).post(reports(model), form(data))
    data.visibility = Visibility.PRIVATE
    data.save()
    assert api_for(make_user()).get(reports(model)).json() == {"reports": []}
    assert len(api_for(writer).get(reports(model)).json()["reports"]) == 1


def test_only_models_have_reports(api_for, data, namespace):
    owner = make_member(namespace, access=Access.ADMIN)
    assert api_for(owner).post(reports(data), form(data)).status_code == 403


# The page ----------------------------------------------------------------------------------------


def test_the_form_reports_and_shows_refusals_at_their_fields(client_for, model, data, writer):
    url = f"{model.get_absolute_url()}/evaluations/report"
    client = client_for(writer)
    page = client.get(f"{url}?benchmark={data.repo_id}:pairs.yaml").content.decode()
    assert f'value="{data.repo_id}:pairs.yaml"' in page and "Nothing yet" in page
    for change, field in (
        ({"samples": upload("s", b"{}\n")}, "samples"),
        ({"results": upload("r", b"{}")}, "results"),
        ({"benchmark": "x"}, "benchmark"),
        ({"task": ""}, "task"),
        ({"revision": "none"}, "revision"),
    ):
        refused = client.post(url, form(data) | change)
        assert refused.status_code == 422, field
        assert list(refused.context["form"].errors) == [field], refused.context["form"].errors
    response = client.post(url, form(data), follow=True)
    text = response.content.decode()
    assert "Pairs with all 100 items paired" in text or "all 100 items paired" in text
    assert "46.0" in text and "lm_eval 0.4.13" in text
    row = Evaluation.objects.get()
    remove = f"{url}/{row.pk}/remove"
    assert client_for(make_user()).post(remove).status_code == 403
    assert "taken back" in client.post(remove, follow=True).content.decode()
    assert not Evaluation.objects.exists()


# Beside our own ----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_report_agrees_item_by_item_with_what_runs_here(model, data, writer, api_for):
    """The engine of this hub and the recorded command line, on the same model and items."""
    reference = f"{data.repo_id}:pairs.yaml"
    run = submit_evaluation(model, actor(writer), benchmarks=[reference])
    execute(run.pk)
    run.refresh_from_db()
    assert not run.error, run.error
    other = make_repository(model.namespace, name="said")
    commit_files(other, {p.name: p.read_bytes() for p in TINY.iterdir() if p.suffix == ".json"})
    content = (TINY / "model.safetensors").read_bytes() + b" "
    commit(other, [large(other, "model.safetensors", content)])
    other.head_oid = other.store().resolve("main")
    other.save()
    other.access = Access.WRITE
    row = report_evaluation(
        other, actor(writer), benchmark=reference, results=RESULTS, task="pairs",
        samples=SimpleUploadedFile("s", lines()),
    )  # fmt: skip
    assert row.source["asked"] == "alike", "prompts and choices are the same"
    sides = read_sides(actor(), [model.repo_id, other.repo_id])
    found = compare_sides(actor(), sides, benchmark=reference)
    assert [each.state for each in found.chosen.held] == ["ok", "reported"]
    facts = found.pairs[0].facts
    assert (facts["n"], facts["delta"], facts["agreement"]["share"]) == (100, 0.0, 1.0)
    for x, y, _kind, _item in facts["scatter"]["points"]:
        assert x == pytest.approx(y, abs=1e-3), "margins of log-likelihoods, in nats"
    (benchmark,) = find_benchmarks(data, "pairs.yaml", actor())
    board = board_of([benchmark], actor())
    assert [entry.repository.name for entry in board.ranked] == ["tiny"]
    (said,) = board.apart
    assert (said.state, said.place, said.would.low, said.would.high) == ("reported", None, 1, 2)


@pytest.mark.django_db(transaction=True)
def test_other_prompts_are_told_from_the_benchmarks_own(model, data, writer):
    reference = f"{data.repo_id}:pairs.yaml"
    run = submit_evaluation(model, actor(writer), benchmarks=[reference])
    execute(run.pk)
    rows = [json.loads(line) for line in lines().splitlines()]
    rows[5]["arguments"]["gen_args_0"]["arg_1"] += " And more."
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    row = report_evaluation(
        model, actor(writer), benchmark=reference, results=RESULTS, task="pairs",
        samples=SimpleUploadedFile("s", content),
    )  # fmt: skip
    assert row.source["asked"] == "otherwise"
    shots = RESULTS.replace(b'"pairs": 0', b'"pairs": 5')
    row = report_evaluation(
        model, actor(writer), benchmark=reference, results=shots, task="pairs",
        samples=SimpleUploadedFile("s", lines()),
    )  # fmt: skip
    assert row.source["asked"] == "otherwise" and row.settings["num_fewshot"] == 5


def test_recorded_files_are_what_the_notes_say():
    assert (RECORDED / "README.md").is_file()
    assert {path.stem for path in (RECORDED / "tasks").iterdir()} == set(FILES)
    assert all(Path(RECORDED / f"samples_{task}.jsonl").is_file() for task in FILES)
