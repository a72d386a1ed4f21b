"""Models, data sets and runs for tests."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

from django.db import transaction

from hub.actions import large_files
from hub.gitstore import AddFile, AddPointer
from hub.models import Kind, Namespace, Repository
from tests.factories import TESTER, make_organization, make_repository, make_user
from training.models import Run, RunKind, RunStatus

DATA = Path(__file__).parents[1] / "data"
TINY = DATA / "tiny-shakespeare-llama"
DATASETS = Path(__file__).parents[2] / "examples" / "datasets"
RECIPE = """\
dataset: {repo_id: REPO, file: train.jsonl}
prompt: "Message: {{text}} Answer:"
completion: "{{label}}"
max_steps: STEPS
learning_rate: 3e-3
per_device_train_batch_size: 2
max_length: 64
save_steps: 1
lora: {r: 4, lora_alpha: 8}
"""
# The tiny model knows that "of" is followed by "the"; one whose last norm is zero finds every
# word alike, and a tie counts as wrong.
BENCHMARK = """\
task: next-word
doc_to_text: "{{sentence_good}} And all of"
doc_to_choice: [the, of]
doc_to_target: 0
weighbridge:
  sample: {order: file, limit: 100}
  group_by: phenomenon
"""
GATE = """\
benchmarks:
  - {benchmark: "REPO:benchmark.yaml", margin: 0.2, role: guard}
"""


def commit(repository: Repository, operations: list[Any], ref: str = "refs/heads/main") -> str:
    store = repository.store()
    parent = store.ref_oid(ref)
    return store.commit(
        ref=ref,
        parent=parent or store.resolve("main"),
        operations=operations,
        message="Change",
        author=TESTER,
        expect=parent,
    )


def large(repository: Repository, path: str, content: bytes) -> AddPointer:
    """A large file of `repository`, stored and linked."""
    stored = large_files.store(repository, io.BytesIO(content))
    return AddPointer(path, stored.sha256, stored.size_bytes)


def make_data(namespace: Namespace, name: str = "data", **overrides: Any) -> Repository:
    """A data set with a benchmark of 100 sentences to go on with and 200 messages to train on."""
    messages = (DATASETS / "sms_spam" / "train.jsonl").read_bytes().splitlines(keepends=True)[:200]
    files = {
        "benchmark.yaml": BENCHMARK.encode(),
        "test.jsonl": (DATASETS / "blimp" / "test.jsonl").read_bytes(),
        "train.jsonl": b"".join(messages),
    }
    return make_repository(namespace, kind=Kind.DATASET, name=name, files=files, **overrides)


def make_model(
    namespace: Namespace | None = None, *, steps: int = 4, files: dict[str, bytes] | None = None
) -> Repository:
    """The tiny model with a recipe and a gate whose data lie in the same namespace."""
    namespace = namespace or make_organization()
    data = make_data(namespace)
    recipe = RECIPE.replace("REPO", data.repo_id).replace("STEPS", str(steps))
    repository = make_repository(
        namespace,
        files={
            "recipes/spam.yaml": recipe.encode(),
            ".weighbridge/gate.yaml": GATE.replace("REPO", data.repo_id).encode(),
            **(files or {}),
        },
    )
    operations: list[Any] = [
        AddFile(path.name, path.read_bytes()) for path in TINY.iterdir() if path.suffix == ".json"
    ]
    weights = large(repository, "model.safetensors", (TINY / "model.safetensors").read_bytes())
    commit(repository, [*operations, weights])
    return repository


def broken_weights() -> bytes:
    """The tiny model with every norm at zero: a real change that cannot be as good."""
    return weights_with(broken=True)


def weights_with(number: int = 0, *, broken: bool = False) -> bytes:
    """The tiny model, told apart by `number` in one weight of a token that no benchmark reads."""
    content = bytearray((TINY / "model.safetensors").read_bytes())
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    if broken:
        start, end = header["model.norm.weight"]["data_offsets"]
        content[8 + length + start : 8 + length + end] = bytes(end - start)
    if number:
        place = 8 + length + header["model.embed_tokens.weight"]["data_offsets"][1] - 4
        (value,) = struct.unpack_from("<f", content, place)
        struct.pack_into("<f", content, place, value + number * 1e-4)
    return bytes(content)


def make_run(repository: Repository | None = None, **overrides: Any) -> Run:
    """A queued run whose spec names nothing that exists."""
    repository = repository or make_repository()
    with transaction.atomic():
        number = Repository.objects.next_number(repository.pk, "last_run_number")
    values: dict[str, Any] = {
        "number": number,
        "kind": RunKind.FINETUNE,
        "status": RunStatus.QUEUED,
        "title": "Teach it spam",
        "spec": {"inputs": [], "settings": {}, "versions": {}},
        "spec_digest": "0" * 64,
        "created_by": overrides.pop("by", None) or make_user(),
    }
    return Run.objects.create(repository=repository, **values | overrides)
