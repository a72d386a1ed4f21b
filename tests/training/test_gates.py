"""Gates and evaluations as a whole, in the real sandbox, on the tiny model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.errors import ForbiddenError
from hub.gitstore import AddFile
from hub.models import Access, CommitStatus, Membership, Repository, Visibility
from tests.factories import actor, make_member, make_repository
from tests.reviews.factories import make_pull_request, push
from tests.training.factories import (
    BENCHMARK,
    TINY,
    broken_weights,
    commit,
    large,
    make_model,
)
from training.actions.evaluating import submit_evaluation
from training.actions.gates import start_gate
from training.jobs.evaluations import items_of
from training.jobs.execute import execute
from training.models import Benchmark, Evaluation, GateRecord, Pin, Run, RunStatus

pytestmark = pytest.mark.usefixtures("transactional_db")
# Another digest and the very same answers.
HARMLESS = {"generation_config.json": b'{"max_length": 7}'}
LONG = BENCHMARK.replace("limit: 100", "limit: 300")
PROMPTS = """\
task: prompts
test_split: prompts
output_type: generate_until
doc_to_text: "{{sentence_good}}"
doc_to_target: "{{sentence_bad}}"
generation_kwargs: {until: ["."], max_gen_toks: 4, do_sample: false}
metric_list: [{metric: exact_match}]
weighbridge: {sample: {order: file, limit: 6}}
"""


@pytest.fixture
def model(settings) -> Repository:
    settings.RUN_THREADS = 1
    model = make_model()
    model.access = Access.ADMIN
    return model


@pytest.fixture
def data(model) -> Repository:
    data = Repository.objects.select_related("namespace").get(
        namespace=model.namespace, kind="dataset"
    )
    data.access = Access.ADMIN
    return data


@pytest.fixture
def owner(model):
    return make_member(model.namespace, access=Access.ADMIN)


def rows_of(data: Repository) -> list[dict[str, Any]]:
    content = data.store().read(data.store().resolve("main"), "test.jsonl", limit_bytes=1 << 24)
    return [json.loads(line) for line in content.splitlines()]


def ruled(model: Repository, data: Repository, **more: str) -> None:
    """Give the model this rule: keys of the gate, and `entry` of its one benchmark."""
    entry = more.pop("entry", "margin: 0.2")
    keys = "".join(f"{key}: {value}\n" for key, value in more.items())
    line = f'  - {{benchmark: "{data.repo_id}:benchmark.yaml", {entry}}}\n'
    commit(model, [AddFile(".weighbridge/gate.yaml", f"{keys}benchmarks:\n{line}".encode())])


def weigh(model: Repository, owner: Any, files: dict[str, bytes] | None = None, **more: Any) -> Run:
    pull_request = make_pull_request(model, files=files or HARMLESS, **more)
    return done(start_gate(model, pull_request.number, actor(owner)))


def harmful(model: Repository, owner: Any) -> Run:
    pull_request = make_pull_request(model, files=HARMLESS)
    operations = [large(model, "model.safetensors", broken_weights())]
    commit(model, operations, ref=pull_request.ref)
    from reviews.jobs.pushes import record_push

    record_push(model, pull_request.number, by=pull_request.author)
    return done(start_gate(model, pull_request.number, actor(owner)))


def done(run: Run) -> Run:
    execute(run.pk)
    run.refresh_from_db()
    run.repository = Repository.objects.select_related("namespace").get(pk=run.repository_id)
    return run


def test_a_gate_that_decides_early_asks_no_more_and_what_it_asked_is_kept(model, data, owner):
    commit(data, [AddFile("benchmark.yaml", LONG.encode())])
    run = weigh(model, owner)
    record = run.gate_record
    assert (run.error, record.verdict) == ("", "pass")
    (result,) = record.results
    assert (result["look"], result["n"], result["n_max"], len(record.looks)) == (1, 100, 300, 1)
    base = Evaluation.objects.get(pk=result["base_evaluation"])
    assert 100 <= base.item_count < 300 and not base.is_whole
    early = {item.id: item for item in items_of(base)}

    whole = done(
        submit_evaluation(model, actor(owner), benchmarks=[f"{data.repo_id}:benchmark.yaml"])
    )
    assert whole.error == ""
    base.refresh_from_db()
    assert (base.item_count, base.is_whole) == (300, True)
    later = {item.id: item for item in items_of(base)}
    assert {item_id: later[item_id] for item_id in early} == early
    assert base.scores["acc"]["lower"] < base.score <= base.scores["acc"]["upper"]
    assert whole.result["evaluations"][0]["evaluation"] == base.pk

    again = done(
        submit_evaluation(model, actor(owner), benchmarks=[f"{data.repo_id}:benchmark.yaml"])
    )
    assert (again.status, again.cpu_seconds) == (RunStatus.SUCCEEDED, None)


def test_an_item_scores_the_same_whatever_order_and_look_asked_it(model, data, owner):
    """Batches are formed inside chunks: one gate's rounding is another's."""
    commit(data, [AddFile("benchmark.yaml", LONG.encode())])
    weigh(model, owner)
    by_gate = {item.id: item for item in items_of(Evaluation.objects.earliest("pk"))}
    Evaluation.objects.all().delete()
    done(submit_evaluation(model, actor(owner), benchmarks=[f"{data.repo_id}:benchmark.yaml"]))
    alone = {item.id: item for item in items_of(Evaluation.objects.get())}
    assert {item_id: alone[item_id] for item_id in by_gate} == by_gate


def test_clusters_are_weighed_together_whether_a_side_was_measured_before_or_not(
    model, data, owner
):
    """Looks are decided while items come: they must know an item's cluster by then."""
    rows = [row | {"pattern": f"pattern {n // 4}"} for n, row in enumerate(rows_of(data))]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    clustered = BENCHMARK.replace("group_by", "cluster_by: pattern\n  group_by")
    commit(data, [AddFile("test.jsonl", lines), AddFile("benchmark.yaml", clustered.encode())])
    (fresh,) = weigh(model, owner).gate_record.results
    assert (fresh["reason"], fresh["n"]) == ("within_allowance", 100)
    assert (fresh["method"], fresh["parameters"]["clusters"]) == ("clustered_t_few_changes", 25)
    base = Evaluation.objects.get(pk=fresh["base_evaluation"])

    other = {"generation_config.json": b'{"max_length": 8}'}  # a new candidate, the same base
    (reused,) = weigh(model, owner, other).gate_record.results
    assert reused["base_evaluation"] == base.pk
    assert reused["candidate_evaluation"] != fresh["candidate_evaluation"]
    same = ("verdict", "reason", "n", "method", "parameters", "lower", "upper")
    assert [reused[name] for name in same] == [fresh[name] for name in same]


def test_the_same_files_in_another_repository_are_not_measured_again(model, data, owner):
    reference = f"{data.repo_id}:benchmark.yaml"
    done(submit_evaluation(model, actor(owner), benchmarks=[reference]))
    copy = make_repository(model.namespace)
    operations: list[Any] = [
        AddFile(path.name, path.read_bytes()) for path in TINY.iterdir() if path.suffix == ".json"
    ]
    weights = large(copy, "model.safetensors", (TINY / "model.safetensors").read_bytes())
    commit(copy, [*operations, weights])
    run = done(submit_evaluation(copy, actor(owner), benchmarks=[reference]))
    assert (run.error, run.cpu_seconds) == ("", None)
    mine, theirs = (Evaluation.objects.get(repository=r) for r in (copy, model))
    assert (mine.score, mine.items_sha256) == (theirs.score, theirs.items_sha256)
    assert items_of(mine) == items_of(theirs)


def test_scores_of_a_private_model_are_not_lent(model, data, owner):
    reference = f"{data.repo_id}:benchmark.yaml"
    private = make_repository(model.namespace, visibility=Visibility.PRIVATE)
    operations: list[Any] = [
        AddFile(path.name, path.read_bytes()) for path in TINY.iterdir() if path.suffix == ".json"
    ]
    weights = large(private, "model.safetensors", (TINY / "model.safetensors").read_bytes())
    commit(private, [*operations, weights])
    done(submit_evaluation(private, actor(owner), benchmarks=[reference]))
    run = done(submit_evaluation(model, actor(owner), benchmarks=[reference]))
    assert run.cpu_seconds, "it ran, so nobody learns that a private model is the same"


def declare(model: Repository, data: Repository, rows: list[dict[str, Any]], name: str) -> bytes:
    """A card that names a data set with these rows to train on."""
    content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    trained = make_repository(
        model.namespace, kind="dataset", name=name, files={"train.jsonl": content}
    )
    return f"---\ndatasets: [{trained.repo_id}]\n---\n# M\n".encode()


def long_rows(data: Repository) -> list[dict[str, Any]]:
    """Items that are long enough to be looked for."""
    rows = rows_of(data)[:100]
    return [row for row in rows if len(row["sentence_good"].split()) >= 8]


def test_items_of_the_declared_training_data_are_left_out_on_both_sides(model, data, owner):
    known = long_rows(data)[:3]
    commit(data, [AddFile("benchmark.yaml", BENCHMARK.replace("100", "110").encode())])
    card = declare(model, data, [{"text": row["sentence_good"]} for row in known], "trained")
    run = weigh(model, owner, HARMLESS | {"README.md": card})
    record = run.gate_record
    (result,) = record.results
    assert (run.error, record.verdict) == ("", "pass")
    told = record.contamination["benchmarks"]["next-word"]
    assert (told["count"], told["is_warning"]) == (3, True)
    assert record.contamination["sources"] == [f"{model.namespace.slug}/trained"]
    assert result["n"] + result["excluded"] <= 110
    assert not record.sentence["undeclared"]


def test_a_benchmark_that_was_trained_on_is_no_judge(model, data, owner):
    known = long_rows(data)[:20]
    assert len(known) > 5
    card = declare(model, data, [{"text": row["sentence_good"]} for row in known], "trained")
    run = weigh(model, owner, HARMLESS | {"README.md": card})
    record = run.gate_record
    assert record.verdict == "error"
    assert record.results[0]["reason"] == "contaminated"
    assert run.cpu_seconds is None, "nothing was run for it"
    status = CommitStatus.objects.get(repository=model, context="gate")
    assert (status.state, "training data" in status.description) == ("error", True)


def test_training_data_that_nobody_declares_is_said(model, owner):
    record = weigh(model, owner).gate_record
    assert (record.sentence["undeclared"], record.contamination) == (True, {})


def test_a_pinned_item_that_is_lost_fails_whatever_the_margin_allows(model, data, owner):
    ruled(model, data, entry="margin: 0.99")
    done(submit_evaluation(model, actor(owner), benchmarks=[f"{data.repo_id}:benchmark.yaml"]))
    right = [i.id for i in items_of(Evaluation.objects.get()) if i.metrics["acc"] == 1.0]
    benchmark = Benchmark.objects.get()
    Pin.objects.create(
        repository=model, benchmark=benchmark, reference=f"{data.repo_id}:benchmark.yaml",
        item_id=right[0], pinned_by=owner,
    )  # fmt: skip
    kept = weigh(model, owner).gate_record
    assert (kept.verdict, kept.sentence["pins"][0]["state"]) == ("pass", "kept")
    lost = harmful(model, owner).gate_record
    # Every answer is lost, which so wide a margin does not refuse: the pin does.
    assert (lost.results[0]["verdict"], lost.verdict) == ("inconclusive", "fail")
    assert lost.sentence["pins"][0]["state"] == "lost"
    status = CommitStatus.objects.get(repository=model, oid=lost.head_oid, context="gate")
    assert status.description == "Refused: 1 pinned example is lost."


def test_a_pinned_item_beyond_the_looks_is_asked_too(model, data, owner):
    commit(data, [AddFile("benchmark.yaml", LONG.encode())])
    first = weigh(model, owner)
    asked = {i.id for i in items_of(Evaluation.objects.earliest("pk"))}
    from training.jobs.benchmarks import benchmarks_of

    (pinned,) = benchmarks_of(first.spec)
    unasked = next(item.id for item in pinned.items() if item.id not in asked)
    Pin.objects.create(
        repository=model, benchmark=Benchmark.objects.get(),
        reference=f"{data.repo_id}:benchmark.yaml", item_id=unasked, pinned_by=owner,
    )  # fmt: skip
    record = weigh(model, owner, {"generation_config.json": b'{"max_length": 9}'}).gate_record
    (pin,) = record.sentence["pins"]
    assert pin["item"] == unasked and pin["state"] in ("kept", "open")


def test_a_hidden_benchmark_is_closed_to_whoever_proposes(model, data, owner):
    ruled(model, data, entry="margin: 0.2, hidden: true")
    Repository.objects.filter(pk=data.pk).update(visibility=Visibility.PRIVATE)
    with pytest.raises(ForbiddenError, match="can read the hidden benchmark"):
        weigh(model, owner, author=owner)
    stranger = make_member(model.namespace, access=None)
    record = weigh(model, owner, author=stranger).gate_record
    assert (record.verdict, record.results[0]["hidden"]) == ("pass", True)


def test_outputs_for_the_blind_desk_are_made_by_both_sides(model, data, owner):
    rows = b"".join(json.dumps(row).encode() + b"\n" for row in rows_of(data)[:6])
    commit(data, [AddFile("prompts.jsonl", rows), AddFile("prompts.yaml", PROMPTS.encode())])
    ruled(model, data, blind=f'{{benchmark: "{data.repo_id}:prompts.yaml"}}')
    run = weigh(model, owner)
    assert (run.error, run.gate_record.verdict) == ("", "pass")
    prompts = Benchmark.objects.get(path="prompts.yaml")
    made = Evaluation.objects.filter(benchmark=prompts)
    assert made.count() == 2
    outputs = [[item.output for item in items_of(row)] for row in made]
    assert outputs[0] == outputs[1] and len(outputs[0]) == 6 and any(outputs[0])
    assert [result["key"] for result in run.gate_record.results] == ["next-word"]


def test_the_noise_floor_is_measured_and_told(model, data, owner):
    ruled(model, data, noise_floor="true")
    record = weigh(model, owner).gate_record
    noise = record.results[0]["noise"]
    assert noise["n"] == 100 and 0 <= noise["floor"] < 0.1
    assert Evaluation.objects.values("settings_digest").distinct().count() == 2


def test_every_attempt_in_strict_mode_has_less_to_spend(model, data, owner):
    ruled(model, data, strict="true", looks="1")
    pull_request = make_pull_request(model, files=HARMLESS)
    levels = []
    for attempt in range(2):
        for _again in range(2):  # the same version is weighed once
            run = start_gate(model, pull_request.number, actor(owner))
            if run.is_live:
                levels.append(done(run).gate_record.results[0]["alpha"])
        push(pull_request, {"generation_config.json": b'{"max_length": %d}' % (8 + attempt)})
    assert levels == pytest.approx(
        [0.05 * 6 / 3.141592653589793**2, 0.05 * 6 / 3.141592653589793**2 / 4]
    )
    assert list(GateRecord.objects.values_list("attempt", flat=True).order_by("pk")) == [1, 2]


def test_a_benchmark_that_disappears_is_never_a_pass(model, data, owner):
    pull_request = make_pull_request(model, files=HARMLESS)
    run = start_gate(model, pull_request.number, actor(owner))
    Repository.objects.filter(pk=data.pk).update(visibility=Visibility.PRIVATE)
    Membership.objects.filter(user=owner).delete()
    run = done(run)
    assert (run.status, GateRecord.objects.count()) == (RunStatus.FAILED, 0)
    status = CommitStatus.objects.get(repository=model, context="gate")
    assert status.state == "error"


def test_a_proposals_files_are_measured_only_for_those_who_may_run_them(model, data, owner):
    pull_request = make_pull_request(model, files=HARMLESS)
    reference = [f"{data.repo_id}:benchmark.yaml"]
    reader = make_member(model.namespace, access=Access.READ)
    model.access = Access.READ
    for revision in (pull_request.ref, pull_request.head_oid):
        with pytest.raises(ForbiddenError, match="write access"):
            submit_evaluation(model, actor(reader), benchmarks=reference, revision=revision)
    assert submit_evaluation(model, actor(reader), benchmarks=reference).status == "queued"
    model.access = Access.ADMIN
    run = submit_evaluation(model, actor(owner), benchmarks=reference, revision=pull_request.ref)
    assert run.spec["is_proposal"]
    Membership.objects.filter(user=owner).update(access=Access.READ)
    assert done(run).status == RunStatus.FAILED, "the right was taken away before it ran"
