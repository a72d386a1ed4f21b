"""The card after a merge: stored numbers, human text as it was, nothing stale kept as current."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries

from hub import events
from hub.formats.model_index import ModelIndexResult, with_model_index
from hub.gitstore import DeleteFile
from hub.jobs.refresh import derive
from hub.models import Access, Kind, Repository, Visibility
from reviews.actions.merging import merge_pull_request
from reviews.actions.pull_requests import open_pull_request
from reviews.changes import change_of
from reviews.models import Discussion
from tests.factories import actor, commit_files, make_member, make_organization, make_repository
from tests.reviews.factories import make_pull_request, read_weights
from tests.training.acting import Act, Stage, chooses, questions, set_stage
from tests.training.factories import TINY, commit, large, make_model
from training.actions.card_marks import EARLIER_SOURCE, MARK
from training.actions.card_numbers import CardNumber, NumberState, card_numbers
from training.actions.card_scores import SOURCE, card_scores
from training.actions.evaluating import submit_evaluation
from training.jobs.disclosure import rounded
from training.jobs.execute import execute
from training.models import Evaluation, GateRecord, Run

pytestmark = pytest.mark.usefixtures("transactional_db")
TWO_METRICS = """\
task: NAME
test_split: NAME
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{label}}"
metric_list: [{metric: acc}, {metric: acc_norm}]
weighbridge: {sample: {order: file}MORE}
"""
HUMAN = "\n# A model\n\nWritten by hand,  with   odd spaces.\t\n\n---\nnot front matter\n"
CARD = f"---\nlicense: mit   # chosen by hand\n---\n{HUMAN}"


def two(lost: int = 0) -> Any:
    """acc as `chooses`, acc_norm always right."""
    first = chooses(lost=range(lost))

    def answer(side: str, doc: dict[str, Any]) -> dict[str, Any]:
        event = first(side, doc)
        return event | {"metrics": event["metrics"] | {"acc_norm": 1.0}}

    return answer


def guard(name: str = "guard", lost: int = 3, **more: Any) -> Act:
    return Act(name, questions(100, prefix=name), two(lost), text=TWO_METRICS, **more)


def set_card(*acts: Act, card: str = CARD, **more: Any) -> Stage:
    stage = set_stage(*acts, **more)
    commit_files(stage.model, {"README.md": card.encode()})
    return stage


def merge(stage: Stage, pull_request: Discussion | None = None) -> str:
    row = pull_request or stage.pull_request
    oid = merge_pull_request(row, actor(stage.maintainer))
    stage.model = Repository.objects.with_access(stage.maintainer).get(pk=stage.model.pk)
    return oid


def read(stage: Stage, path: str, oid: str = "") -> str:
    store = stage.model.store()
    oid = oid or store.resolve("main")
    return store.read(oid, path, limit_bytes=1 << 20).decode()


def numbers(stage: Stage) -> dict[tuple[str, str], Any]:
    """The scores of the card as huggingface_hub reads them."""
    results = ModelCard(read(stage, "README.md")).data.eval_results or []
    return {(each.dataset_name, each.metric_name): each for each in results}


def entries(stage: Stage, name: str = "guard") -> list[Any]:
    path = f".eval_results/{stage.data.repo_id.replace('/', '-')}-{name}.yaml"
    return parse_eval_result_entries(yaml.safe_load(read(stage, path)))


def next_pull(stage: Stage, files: dict[str, bytes], **more: Any) -> Discussion:
    row = make_pull_request(stage.model, files=files, **more)
    stage.pull_request = row
    return row


def panel(stage: Stage, client: Any) -> dict[tuple[str, str], str]:
    """What the model's page says of each number."""
    page = client.get(stage.model.get_absolute_url()).content.decode()
    table = page.partition("Numbers in the card")[2].partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
    found = {}
    for row in rows:
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        words = [" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in cells]
        found[words[0].split()[0], words[1]] = words[-1]
    return found


# What a merge writes --------------------------------------------------------------------------


def test_every_metric_of_every_benchmark_is_written_and_human_text_stays(client_for):
    stage = set_card(guard(), guard("other", lost=0))
    record = stage.play()
    merge(stage)
    card = read(stage, "README.md")
    assert card.startswith("---\nlicense: mit   # chosen by hand\nmodel-index:\n")
    assert card.endswith(f"\n---\n{HUMAN}")
    found = numbers(stage)
    assert {key: each.metric_value for key, each in found.items()} == {
        ("guard", "acc"): 0.97,
        ("guard", "acc_norm"): 1.0,
        ("other", "acc"): 1.0,
        ("other", "acc_norm"): 1.0,
    }
    acc = found["guard", "acc"]
    assert (acc.metric_type, acc.dataset_type) == ("accuracy", stage.data.repo_id)
    assert (acc.source_name, acc.dataset_split) == (SOURCE, "guard")
    assert acc.source_url.endswith(f"/runs/{record.run.number}")
    primary, norm = entries(stage)
    assert (primary.task_id, primary.value) == ("guard", 0.97)
    assert (norm.task_id, norm.value) == ("guard/acc_norm", 1.0)
    assert primary.notes.startswith("acc, n=100, 95% interval 0.9")
    assert f"pull request {stage.pull_request.number}" in primary.notes
    assert set(panel(stage, client_for()).values()) == {
        f"verified measured on this version, 100 items · run #{record.run.number}"
    }


def test_items_in_the_training_data_are_left_out_of_every_metric():
    """Whatever the candidate makes of four items that it was trained on, the card does not say."""
    words = [f"word{place}of" for place in range(14)]
    rows = [
        row | {"question": " ".join(f"{word}{row['number']}" for word in words)}
        for row in questions(125)
    ]

    def answer(side: str, doc: dict[str, Any]) -> dict[str, Any]:
        right = side == "base" or doc["number"] >= 4
        event = two()(side, doc)
        return event | {"metrics": {"acc": float(right), "acc_norm": float(right)}}

    namespace = make_organization()
    seen = [{"text": row["question"]} for row in rows[:4]]
    make_repository(
        namespace,
        kind=Kind.DATASET,
        name="seen",
        files={"train.jsonl": "".join(f"{json.dumps(row)}\n" for row in seen).encode()},
    )
    card = CARD.replace("license:", f"datasets: [{namespace.slug}/seen]\nlicense:")
    act = Act("guard", rows, answer, text=TWO_METRICS)
    stage = set_card(act, card=card, namespace=namespace)
    result = stage.play().results[0]
    assert (result["excluded"], result["candidate_score"]) == (4, 1.0)
    stored = Evaluation.objects.get(pk=result["candidate_evaluation"])
    assert stored.score_of("acc_norm")["value"] == 0.968
    merge(stage)
    assert [each.metric_value for each in numbers(stage).values()] == [1.0, 1.0]
    assert [
        entry.notes.partition(", 95%")[0].partition(", pull")[0] for entry in entries(stage)
    ] == [
        "acc, n=121 of 125",
        "acc_norm, n=121 of 125",
    ]


def test_hidden_items_give_one_rounded_number():
    stage = set_card(guard("secret", lost=3, rule="margin: 0.1, hidden: true"))
    Repository.objects.filter(pk=stage.data.pk).update(visibility=Visibility.PRIVATE)
    record = stage.play()
    assert record.results[0]["candidate_score"] == 0.97
    merge(stage)
    (found,) = numbers(stage).values()
    assert found.metric_value == rounded(0.97, 0.05) == 0.95
    assert found.metric_args == {"rounded": True}
    (entry,) = entries(stage, "secret")
    assert entry.value == 0.95
    assert "rounded" in entry.notes
    written = read(stage, "README.md") + str(vars(entry))
    for exact in ("0.97", "acc_norm", "interval", "secret.jsonl"):
        assert exact not in written
    (number,) = card_numbers(stage.model)
    assert number.state is NumberState.VERIFIED
    assert number.measured is not None and number.measured.value == 0.95


def test_a_card_that_cannot_be_kept_safely_stays_and_the_scores_are_written_beside_it():
    broken = "---\nlicense: [mit\n---\ntext\n"
    stage = set_card(guard(), card=broken)
    stage.play()
    merge(stage)
    assert read(stage, "README.md") == broken
    assert len(entries(stage)) == 2


def test_what_was_measured_of_a_merge_goes_by_its_commit_once_it_is_made(api_for):
    stage = set_card(guard())
    record = stage.play()
    key = record.results[0]["candidate_evaluation"]
    url = f"/{stage.model.api_path}/evaluations/{key}"
    before = api_for().get(url).json()
    assert (before["revision"], before["revisionIsTree"]) == (record.merge_tree, True)
    oid = merge(stage)
    stage.pull_request.refresh_from_db()
    change = change_of(stage.pull_request)
    told = {"repository": stage.model, "change": change, "merge_oid": oid}
    events.change_merged.send(Discussion, actor=stage.maintainer, **told)
    after = api_for().get(url).json()
    assert (after["revision"], after["revisionIsTree"]) == (oid, False)
    assert api_for().get(f"/{stage.model.api_path}/revision/{oid}").status_code == 200


# Numbers that the gate did not measure again --------------------------------------------------


def drop_other(stage: Stage) -> None:
    """The gate no longer asks for the benchmark `other`."""
    rule = read(stage, ".weighbridge/gate.yaml")
    kept = "".join(line for line in rule.splitlines(keepends=True) if "other.yaml" not in line)
    commit_files(stage.model, {".weighbridge/gate.yaml": kept.encode()})


def test_a_number_that_no_longer_belongs_to_the_model_is_marked(client_for):
    stage = set_card(guard(), guard("other", lost=0))
    stage.play()
    merge(stage)
    drop_other(stage)
    before = stage.model.store().resolve("main")
    next_pull(stage, {"config.json": b'{"more": 2}'})
    stage.play()
    merge(stage)
    found = numbers(stage)
    assert found["guard", "acc"].source_name == SOURCE
    for metric in ("acc", "acc_norm"):
        other = found["other", metric]
        assert (other.source_name, other.metric_value) == (EARLIER_SOURCE, 1.0)
        assert other.metric_args == {MARK: before[:12]}
    assert entries(stage)[0].source_name == SOURCE
    stale = entries(stage, "other")[0]
    assert (stale.source_name, stale.value) == (EARLIER_SOURCE, 1.0)
    assert stale.notes.endswith(f"of an earlier version, last valid at {before[:12]}")
    said = panel(stage, client_for())
    assert said["other", "acc"].startswith("earlier version measured here before")
    assert said["guard", "acc"].startswith("verified")
    # Another change: the mark stays what it was.
    next_pull(stage, {"config.json": b'{"more": 3}'})
    stage.play()
    merge(stage)
    assert numbers(stage)["other", "acc"].metric_args == {MARK: before[:12]}
    assert entries(stage, "other")[0].notes == stale.notes


def test_numbers_are_marked_also_where_no_gate_has_weighed_the_change():
    stage = set_card(guard())
    stage.play()
    merge(stage)
    store = stage.model.store()
    commit(stage.model, [DeleteFile(".weighbridge/gate.yaml")])
    before = store.resolve("main")
    row = next_pull(stage, {"config.json": b'{"more": 2}'})
    merge(stage, row)
    assert numbers(stage)["guard", "acc"].metric_args == {MARK: before[:12]}


def test_a_change_of_text_alone_leaves_the_card_as_it_is():
    stage = set_card(guard())
    stage.play()
    merge(stage)
    card, scores = read(stage, "README.md"), entries(stage)
    next_pull(stage, {"notes.txt": b"words"})
    stage.play()
    merge(stage)
    assert read(stage, "README.md") == card
    assert entries(stage) == scores


def test_a_push_past_the_gate_shows_old_numbers_as_old(client_for):
    stage = set_card(guard())
    stage.play()
    merge(stage)
    commit_files(stage.model, {"config.json": b'{"pushed": 1}'})
    head = stage.model.store().resolve("main")
    Repository.objects.filter(pk=stage.model.pk).update(head_oid=head)
    assert panel(stage, client_for())["guard", "acc"].startswith("earlier version")


# What a proposal says by hand -----------------------------------------------------------------


def edited(stage: Stage, change: Any) -> bytes:
    return change(read(stage, "README.md")).encode()


def test_numbers_that_a_proposal_edits_are_written_over():
    stage = set_card(guard(), guard("other", lost=0))
    stage.play()
    merge(stage)
    forged = edited(stage, lambda card: card.replace("value: 0.97", "value: 0.999"))
    assert b"0.999" in forged
    for files in ({"README.md": forged, "config.json": b'{"x": 1}'}, {"README.md": forged}):
        next_pull(stage, files)
        stage.play()
        merge(stage)
        assert numbers(stage)["guard", "acc"].metric_value == 0.97
        assert "0.999" not in read(stage, "README.md")


def test_a_number_that_only_claims_to_be_ours_is_disowned(client_for):
    stage = set_card(guard())
    stage.play()
    merge(stage)

    def forge(card: str) -> str:
        claim = ModelIndexResult(
            "text-generation", "demo/mmlu", "MMLU", "accuracy", 0.99, metric_name="acc",
            source_name=SOURCE, source_url="https://example.org/runs/1",
        )  # fmt: skip
        mine = ModelIndexResult("text-generation", "demo/gsm8k", "GSM8K", "exact_match", 0.5)
        return with_model_index(card.encode(), [claim, mine], model_name="x").decode()

    path = f".eval_results/{stage.data.repo_id.replace('/', '-')}-guard.yaml"
    scores = read(stage, path).replace("value: 1.0", "value: 0.123")
    fake = (
        "- dataset: {id: demo/mmlu, task_id: mmlu}\n  value: 0.99\n"
        f"  source: {{url: https://example.org, name: {SOURCE}}}\n"
    )
    next_pull(
        stage,
        {
            "README.md": edited(stage, forge),
            path: scores.encode(),
            ".eval_results/mmlu.yaml": fake.encode(),
        },
    )
    stage.play()
    merge(stage)
    found = numbers(stage)
    assert found["MMLU", "acc"].source_name is None
    assert found["GSM8K", None].metric_value == 0.5
    assert [entry.value for entry in entries(stage)] == [0.97, 1.0]
    (mmlu,) = parse_eval_result_entries(yaml.safe_load(read(stage, ".eval_results/mmlu.yaml")))
    assert (mmlu.value, mmlu.source_name) == (0.99, None)
    said = panel(stage, client_for())
    assert said["MMLU", "acc"] == "self-reported not measured here"
    assert said["GSM8K", "exact_match"] == "self-reported not measured here"


def claimed(stage: Stage, *, extra: str = "") -> dict[str, bytes]:
    """A card and a file that say of the guard, in other words than ours, that it is verified."""
    data = stage.data.repo_id
    card = (
        "---\nlicense: mit   # chosen by hand\nmodel-index:\n- name: mine\n  results:\n"
        f"  - task: {{type: text-classification}}\n    dataset: {{type: {data}, name: guard}}\n"
        "    metrics:\n    - {type: acc, value: 0.999, verified: true, verifyToken: abc}\n"
        "    - {type: speed, value: 12, verified: true}\n"
        "  - task: {type: text-classification}\n    dataset: {type: far/away, name: elsewhere}\n"
        f"    metrics: [{{type: acc, value: 0.4, verified: true}}]\n---\n{HUMAN}"
    )
    other = (
        f"- dataset: {{id: {data}, task_id: guard}}\n  value: 0.99\n  verified: true\n"
        f"- dataset: {{id: {data}, task_id: spare}}\n  value: 0.98\n  verifyToken: abc\n{extra}"
    )
    return {"README.md": card.encode(), ".eval_results/mine.yaml": other.encode()}


@pytest.mark.parametrize("with_weights", [True, False])
def test_a_number_of_a_benchmark_of_ours_cannot_call_itself_verified(with_weights):
    stage = set_card(guard())
    stage.play()
    merge(stage)
    files = claimed(stage) | ({"config.json": b'{"x": 9}'} if with_weights else {})
    next_pull(stage, files)
    stage.play()
    merge(stage)
    card = read(stage, "README.md")
    index = yaml.safe_load(card.split("---\n")[1])["model-index"][0]["results"]
    told = {
        (entry["dataset"]["name"], metric.get("name") or metric["type"]): metric
        for entry in index
        for metric in entry["metrics"]
    }
    assert card.startswith("---\nlicense: mit   # chosen by hand\nmodel-index:\n")
    assert card.endswith(f"\n---\n{HUMAN}")
    assert told["guard", "speed"] == {"type": "speed", "value": 12}
    assert told["elsewhere", "acc"]["verified"] is True, "of a benchmark that is none of ours"
    if with_weights:
        assert told["guard", "acc"]["value"] == 0.97
        assert "0.999" not in card
    else:
        assert told["guard", "acc"] == {"type": "acc", "value": 0.999}
    mine = yaml.safe_load(read(stage, ".eval_results/mine.yaml"))
    assert "verif" not in str(mine)
    said = {entry["dataset"]["task_id"]: entry for entry in mine}
    assert said["spare"]["notes"] == "self-reported, not measured by this hub"
    assert ("guard" in said) is not with_weights


def test_a_number_that_was_measured_otherwise_is_shown_to_differ(client_for):
    """A maintainer pushes past every proposal; the page still tells."""
    stage = set_card(guard())
    stage.play()
    merge(stage)
    forged = edited(stage, lambda card: card.replace("value: 0.97", "value: 0.999"))
    commit_files(stage.model, {"README.md": forged})
    refresh(stage)
    assert panel(stage, client_for())["guard", "acc"].startswith(
        "differs measured on this version: 0.97"
    )


def refresh(stage: Stage) -> None:
    """The derived columns, as a push brings them up to date."""
    head = stage.model.store().resolve("main")
    Repository.objects.filter(pk=stage.model.pk).update(**derive(stage.model, head))
    stage.model.refresh_from_db()


def test_a_reported_number_that_was_measured_here_is_verified():
    stage = set_card(guard())
    stage.play()
    mine = ModelIndexResult(
        "text-generation", stage.data.repo_id, "guard", "acc", 1.0, metric_name="acc_norm"
    )
    card = with_model_index(CARD.encode(), [mine], model_name="x")
    commit_files(stage.model, {"README.md": card})
    refresh(stage)
    (number,) = card_numbers(stage.model)
    assert number.state is NumberState.VERIFIED, "the base was measured too"


def test_an_early_verdict_hides_no_item_that_was_measured():
    """The gate looked at 60 items; all 100 were measured, and the card tells what they say."""
    stage = set_card(guard())
    record = stage.play()
    record.results[0] |= {"n": 60, "candidate_score": 0.95}
    record.save(update_fields=["results"])
    told = {(each.metric, each.value, each.n) for each in card_scores(record)}
    assert told == {("acc", 0.97, 100), ("acc_norm", 1.0, 100)}
    assert all(each.lower is not None for each in card_scores(record))
    early = ModelIndexResult(
        "text-generation", stage.data.repo_id, "guard", "acc", 0.95, metric_name="acc",
        source_url=f"http://hub/runs/{record.run.number}",
    )  # fmt: skip
    (number,) = _standings(stage, early)
    assert number.state is not NumberState.DIFFERS, "that it decided by it stays true"


def test_the_card_of_another_revision_has_its_own_numbers(client_for):
    stage = set_card(guard())
    before = stage.model.store().resolve("main")
    mine = ModelIndexResult(
        "text-generation", stage.data.repo_id, "guard", "acc", 0.5, metric_name="acc"
    )
    card = with_model_index(CARD.encode(), [mine], model_name="x")
    commit_files(stage.model, {"README.md": card})
    refresh(stage)
    address = stage.model.get_absolute_url()
    assert "Numbers in the card" in client_for().get(address).content.decode()
    page = client_for().get(f"{address}?revision={before}").content.decode()
    assert "Numbers in the card" not in page


def _standings(stage: Stage, *results: ModelIndexResult) -> list[CardNumber]:
    card = with_model_index(CARD.encode(), list(results), model_name="x")
    commit_files(stage.model, {"README.md": card})
    refresh(stage)
    return card_numbers(stage.model)


def test_a_card_without_numbers_has_no_panel(client_for):
    stage = set_card(guard())
    page = client_for().get(stage.model.get_absolute_url()).content.decode()
    assert "Numbers in the card" not in page


# With the real engine -------------------------------------------------------------------------


def nudged_weights() -> bytes:
    """The tiny model with one bit of its last norm flipped: another model that is as good."""
    content = bytearray((TINY / "model.safetensors").read_bytes())
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    start, _end = header["model.norm.weight"]["data_offsets"]
    content[8 + length + start] ^= 1
    return bytes(content)


def test_a_real_merge_writes_what_the_engine_measured(settings, client_for):
    settings.RUN_THREADS = 1
    model = make_model()
    model.access = Access.ADMIN
    owner = make_member(model.namespace, access=Access.ADMIN)
    head = commit(model, [large(model, "model.safetensors", nudged_weights())], "refs/heads/new")
    opened = open_pull_request(
        model, by=owner, title="Change", description="", head_oid=head, target_branch="main"
    )
    row = Discussion.objects.get(repository=model, number=opened.number)
    row.repository = model
    execute(Run.objects.get(kind="compare").pk)
    record = GateRecord.objects.get()
    assert record.verdict == "pass", record.results
    read_weights(row)
    merge_pull_request(row, actor(owner))
    model.refresh_from_db()
    (number,) = card_numbers(model)
    assert number.state is NumberState.VERIFIED
    assert number.result.metric_value == round(record.results[0]["candidate_score"], 6)
    again = submit_evaluation(model, actor(owner), benchmarks=[record.results[0]["reference"]])
    execute(again.pk)
    again.refresh_from_db()
    assert again.status == "succeeded"
    (number,) = card_numbers(model)
    assert number.state is NumberState.VERIFIED
