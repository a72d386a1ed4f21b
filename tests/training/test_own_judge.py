"""A pull request cannot choose its judge (threat M3): whatever it edits, it is weighed the same."""

from __future__ import annotations

import json

import pytest

from hub.gitstore import AddFile
from hub.models import Access, Repository
from tests.factories import actor, make_member
from tests.reviews.factories import make_pull_request
from tests.training.factories import BENCHMARK, GATE, commit, make_model
from training.actions.gates import start_gate
from training.jobs.benchmarks import benchmarks_of
from training.models import Run
from training.specs.chunks import ordered

pytestmark = pytest.mark.django_db
CHANGE = {"generation_config.json": b'{"max_length": 7}'}
CLAIM = b"""---
model-index:
- name: m
  results:
  - task: {type: text-generation}
    dataset: {type: o/data, name: next-word}
    metrics: [{type: accuracy, value: 1.0}]
---
# The best
"""


@pytest.fixture
def model() -> Repository:
    model = make_model()
    model.access = Access.ADMIN
    return model


def weighed(model: Repository, files: dict[str, bytes]) -> Run:
    """The gate of a proposal that changes the model, and `files` beside it."""
    pull_request = make_pull_request(model, files=CHANGE | files)
    owner = make_member(model.namespace, access=Access.ADMIN)
    return start_gate(model, pull_request.number, actor(owner))


def judge_of(run: Run) -> dict[str, object]:
    """All of a spec that judges, and nothing of what is judged."""
    spec = run.spec
    inputs = [given for given in spec["inputs"] if given["role"] != "candidate"]
    parts = ("benchmarks", "settings", "settings_digest", "versions")
    judged = {"attempt", "subject"}  # which version it is, and the try that it takes
    rule = {key: value for key, value in spec["gate"].items() if key not in judged}
    return {"rule": rule, "inputs": inputs, **{part: spec[part] for part in parts}}


def data_of(model: Repository) -> Repository:
    return Repository.objects.get(namespace=model.namespace, kind="dataset")


RULE = GATE.replace("REPO", "o/data").replace("margin: 0.2", "margin: 0.9")


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({".weighbridge/gate.yaml": RULE.encode()}, id="margin"),
        pytest.param(
            {".weighbridge/gate.yaml": RULE.encode() + b"alpha: 0.2\nlooks: 1\n"}, id="gate"
        ),
        pytest.param({"benchmark.yaml": BENCHMARK.encode()}, id="benchmark"),
        pytest.param(
            {"benchmark.yaml": BENCHMARK.replace("And all of", "The answer is").encode()},
            id="prompt",
        ),
        pytest.param({"test.jsonl": b'{"sentence_good": "easy"}\n' * 200}, id="items"),
        pytest.param({"README.md": CLAIM}, id="card numbers"),
        pytest.param({".eval_results/data.yaml": b"- {value: 1.0}\n"}, id="stored results"),
    ],
)
def test_what_a_proposal_edits_beside_the_model_does_not_weigh_it(model, files):
    plain, edited = weighed(model, {}), weighed(model, files)
    assert judge_of(edited) == judge_of(plain)
    digests = [run.inputs("candidate")[0]["digest"] for run in (plain, edited)]
    assert digests[0] == digests[1], "what is weighed is the model, and it is the same"


def test_a_proposal_to_the_data_set_changes_nothing_before_it_is_merged(model):
    """Prompt, items and their order: all of it proposed, none of it taken in."""
    before = judge_of(weighed(model, {}))
    data = data_of(model)
    rows = data.store().read(data.store().resolve("main"), "test.jsonl", limit_bytes=1 << 24)
    lines = rows.splitlines(keepends=True)
    files = {
        "benchmark.yaml": BENCHMARK.replace("And all of", "Therefore").encode(),
        "test.jsonl": b"".join(reversed(lines)),
    }
    make_pull_request(data, files=files)
    assert judge_of(weighed(model, {})) == before


def test_items_keep_their_order_when_the_file_is_sorted_anew(model):
    """The order is that of the rule's digest over the items' own hashes."""
    first = weighed(model, {})
    data = data_of(model)
    before = [pinned.items() for pinned in benchmarks_of(first.spec)]
    text = BENCHMARK.replace("{order: file, limit: 100}", "{}")
    commit(data, [AddFile("benchmark.yaml", text.encode())])
    whole = weighed(model, {})
    rows = data.store().read(data.store().resolve("main"), "test.jsonl", limit_bytes=1 << 24)
    lines = rows.splitlines(keepends=True)
    commit(data, [AddFile("test.jsonl", b"".join(sorted(lines)))])
    again = weighed(model, {})
    orders = [
        [item.id for item in ordered(pinned.items(), run.spec["gate"]["digest"])]
        for run in (whole, again)
        for pinned in benchmarks_of(run.spec)
    ]
    assert orders[0] == orders[1]
    assert len(before[0]) == 100


def test_a_benchmark_that_moves_after_the_start_does_not_move_the_run(model):
    run = weighed(model, {})
    data = data_of(model)
    commit(data, [AddFile("benchmark.yaml", BENCHMARK.replace("And all of", "So").encode())])
    run.refresh_from_db()
    (pinned,) = benchmarks_of(json.loads(json.dumps(run.spec)))
    assert "And all of" in pinned.definition_text
    assert pinned.digest == run.spec["benchmarks"][0]["digest"]
