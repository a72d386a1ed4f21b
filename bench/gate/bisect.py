"""Which commit broke this: how many versions have to be measured to find one among 32."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.utils import disable_progress_bars

from bench.hub import BenchHub
from bench.rows import Absent, Bar, Row
from demo.files import EXAMPLES
from tools.little_hub import TINY

COMMITS, CULPRIT = 32, 21
LIMIT = 5
PATIENCE_SECONDS = 900
# The little model knows what comes after "of"; with a last norm of zeros it knows nothing.
BENCHMARK = """\
task: next-word
doc_to_text: "{{sentence_good}} And all of"
doc_to_choice: [the, of]
doc_to_target: 0
weighbridge:
  sample: {order: file, limit: 100}
"""


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """New measurements between two ends that are known, as a drop in the chart is."""
    disable_progress_bars()
    api = HfApi(endpoint=hub.url, token=hub.token)
    model, oids = _history(api)
    reference = f"{_data(api)}:benchmark.yaml"
    for oid in (oids[0], oids[-1]):
        _ask(hub, model, "evaluations", {"benchmarks": [reference], "revision": oid})
    run = _ask(hub, model, "bisects", {"benchmark": reference, "good": oids[0]})
    found = run["result"]["culprit"]["oid"]
    if found != oids[CULPRIT]:
        raise RuntimeError(f"the search names {found[:7]}, and {oids[CULPRIT][:7]} broke it")
    yield Row(
        "gate", f"bisect: versions to measure for a regression among {COMMITS}", "runs",
        float(run["result"]["new"]), Bar("ours", "<=", LIMIT),
        float(COMMITS - 2), "measuring every version between",
    )  # fmt: skip


def _history(api: HfApi) -> tuple[str, list[str]]:
    """A model of 32 versions, and the oid of each; it is broken from one on."""
    repo_id = api.create_repo("bench/bisected").repo_id
    api.upload_folder(repo_id=repo_id, folder_path=TINY)
    oids = []
    for number in range(COMMITS):
        weights = _weights(number + 1, broken=number >= CULPRIT)
        made = api.create_commit(
            repo_id,
            [CommitOperationAdd("model.safetensors", weights)],
            commit_message=f"Version {number}",
        )
        oids.append(made.oid)
    return repo_id, oids


def _data(api: HfApi) -> str:
    repo_id = api.create_repo("bench/bisect-words", repo_type="dataset").repo_id
    rows = EXAMPLES / "datasets" / "blimp" / "test.jsonl"
    files = [
        CommitOperationAdd("benchmark.yaml", BENCHMARK.encode()),
        CommitOperationAdd("test.jsonl", rows.read_bytes()),
    ]
    api.create_commit(repo_id, files, commit_message="Words", repo_type="dataset")
    return repo_id


def _weights(number: int, *, broken: bool) -> bytes:
    """The little model, told apart by one weight that nothing here reads."""
    content = bytearray((TINY / "model.safetensors").read_bytes())
    start, end = _place(content, "model.norm.weight")
    if broken:
        content[start:end] = bytes(end - start)
    last = _place(content, "model.embed_tokens.weight")[1] - 4
    (value,) = struct.unpack_from("<f", content, last)
    struct.pack_into("<f", content, last, value + number * 1e-4)
    return bytes(content)


def _place(content: bytes | bytearray, name: str) -> tuple[int, int]:
    """Where a tensor lies in a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    start, end = json.loads(bytes(content[8 : 8 + length]))[name]["data_offsets"]
    return 8 + length + start, 8 + length + end


def _ask(hub: BenchHub, model: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """Have a run done, and the run as it ended."""
    path = f"{hub.url}/api/models/{model}"
    answer = hub.session.post(f"{path}/{what}", json=body)
    answer.raise_for_status()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        run: dict[str, Any] = hub.session.get(f"{path}/runs/{answer.json()['number']}").json()
        if run["status"] not in ("queued", "running"):
            if run["status"] != "succeeded":
                raise RuntimeError(f"run {run['number']}: {run['error']}")
            return run
        time.sleep(0.5)
    raise RuntimeError(f"{what} took longer than {PATIENCE_SECONDS} s")
