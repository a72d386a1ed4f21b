"""Benchmarks and evaluations as rows, with item results in the store: boards without a runner."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from hub.actions import large_files
from hub.models import Kind, Namespace, Repository
from tests.factories import actor, commit_files, make_organization, make_repository
from training.actions.models import model_input
from training.actions.pinning import pin_benchmark
from training.jobs.evaluations import protocol_digest, settings_digest
from training.jobs.items import Item, write_items
from training.jobs.questions import _name, _question, _write
from training.jobs.summaries import scores_with_intervals
from training.models import Benchmark, Evaluation, Origin
from training.specs.gate import parse_reference

SETTINGS = {"threads": 2, "device": "cpu", "dtype": "float32", "batch_tokens": 2048}
VERSIONS = {"torch": "2.13.0"}
TEXT = """\
task: NAME
task_alias: ALIAS
test_split: NAME
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{label}}"
weighbridge: {sample: {order: file}MORE}
"""


def rows_of(count: int) -> list[dict[str, Any]]:
    return [
        {"number": n, "question": f"question {n}", "choices": ["yes", "no"], "label": 0}
        for n in range(count)
    ]


def make_benchmark(
    data: Repository | None = None,
    name: str = "words",
    *,
    count: int = 120,
    more: str = "",
    text: str = TEXT,
    rows: Sequence[dict[str, Any]] = (),
    namespace: Namespace | None = None,
    person: Any = None,
) -> Benchmark:
    """A benchmark that has been asked once: its row, and the texts of its items."""
    data = data or make_repository(namespace, kind=Kind.DATASET)
    lines = "".join(json.dumps(row) + "\n" for row in (rows or rows_of(count)))
    content = text.replace("NAME", name).replace("ALIAS", name.capitalize()).replace("MORE", more)
    commit_files(data, {f"{name}.yaml": content.encode(), f"{name}.jsonl": lines.encode()})
    reference = parse_reference(f"{data.repo_id}:{name}.yaml")
    pinned, _inputs = pin_benchmark(reference, actor(person), named_by=data)
    issued = pinned.items()
    row = pinned.row(issued)
    if not row.questions_sha256:
        told = [
            {
                "prompt": item.doc.get("question", ""),
                "choices": item.doc.get("choices", []),
                "expected": "yes",
            }
            for item in issued
        ]
        pairs = zip(issued, told, strict=True)
        _name(row, _write(row, [_question(item, each) for item, each in pairs]))
    return Benchmark.objects.select_related("repository__namespace", "items_repository").get(
        pk=row.pk
    )


def make_scored(namespace: Namespace | None = None, **traits: Any) -> Repository:
    """A model with one weight file of its own at the head of `main`."""
    model = make_repository(namespace or make_organization(), **traits)
    return reweigh(model, b"weights of " + model.repo_id.encode())


def reweigh(model: Repository, content: bytes) -> Repository:
    """Other weights at the head."""
    commit_files(model, {"model.safetensors": content})
    model.head_oid = model.store().resolve("main")
    model.save(update_fields=["head_oid"])
    return model


def doc_number(item: Any) -> int:
    return int(item.doc["number"])


def evaluate(
    model: Repository,
    benchmark: Benchmark,
    wrong: Sequence[int] | set[int] = (),
    *,
    revision: str = "",
    limit: int | None = None,
    settings: Mapping[str, Any] = SETTINGS,
    versions: Mapping[str, str] = VERSIONS,
    origin: str = Origin.HERE,
    **values: Any,
) -> Evaluation:
    """What a run would have stored: every item right but those with the numbers `wrong`."""
    from training.jobs.benchmarks import pinned_of

    issued = pinned_of(benchmark.spec).items()
    missed = set(wrong)
    items = [_item(each, doc_number(each) in missed) for each in issued[:limit]]
    oid = model.store().resolve(revision or "main")
    _model, digest = model_input("model", model, oid)
    blob = write_items(model.blobs(), items)
    large_files.link(model, blob)
    scores = scores_with_intervals(items, benchmark)
    given = {
        "model_digest": digest,
        "benchmark_digest": benchmark.digest,
        "settings_digest": settings_digest(dict(settings), dict(versions)),
        "protocol_digest": protocol_digest(dict(settings), dict(versions)),
        "settings": dict(settings),
        "revision": oid,
        "items_sha256": blob.sha256,
        "item_count": len(items),
        "score": scores[benchmark.metric]["value"],
        "scores": scores,
        "origin": origin,
    }
    return Evaluation.objects.create(repository=model, benchmark=benchmark, **given | values)


def _item(issued: Any, is_wrong: bool) -> Item:
    number = doc_number(issued)
    ahead = 0.2 + int(hashlib.sha256(str(number).encode()).hexdigest()[:4], 16) / 65536
    likelihoods = (-1.0 - ahead, -1.0) if is_wrong else (-1.0, -1.0 - ahead)
    return Item(
        issued.id,
        {"acc": float(not is_wrong)},
        prediction=int(is_wrong),
        target=0,
        loglikelihoods=likelihoods,
        cluster=issued.cluster,
    )
