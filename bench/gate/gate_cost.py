"""What a gate costs: base, candidate and verdict beside one evaluation of the same items.

Every run is one of the hub's own: submitted, claimed by a worker, scored in the sandbox, stored.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.utils import disable_progress_bars

from bench.hub import BenchHub
from bench.rows import Absent, Bar, Row
from demo.files import EXAMPLES
from tools.little_hub import TINY

ITEMS, ROUNDS = 2000, 3
PATIENCE_SECONDS = 600
BENCHMARK = f"""\
task: pairs
doc_to_text: ""
doc_to_choice: "{{{{[sentence_good, sentence_bad]}}}}"
doc_to_target: 0
target_delimiter: ""
weighbridge: {{sample: {{order: file, limit: {ITEMS}}}, group_by: phenomenon}}
"""


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Medians over some rounds; in each, the three follow one another."""
    disable_progress_bars()
    bench = GateCost(hub)
    rounds = [(bench.evaluation(), bench.gate(), bench.gate_again()) for _ in range(ROUNDS)]
    alone, whole, cached = (statistics.median(seconds) for seconds in zip(*rounds, strict=True))
    one = "one evaluation of the same items"
    yield Row(
        "gate", f"base + candidate + gate, {ITEMS} items on the 2 M model", "s", whole,
        Bar("ratio", "<=", 2.05), alone, one,
    )  # fmt: skip
    yield Row(
        "gate", f"cached base + candidate + gate, {ITEMS} items", "s", cached,
        Bar("ratio", "<=", 1.05), alone, one,
    )  # fmt: skip


class GateCost:
    """The little model under a gate of one look, so that every item is asked.

    Every version has other files and the same weights: nothing that is measured was stored before.
    """

    def __init__(self, hub: BenchHub) -> None:
        self.hub, self.api = hub, HfApi(endpoint=hub.url, token=hub.token)
        self.numbers = count(1000)
        self.data = self.api.create_repo("bench/cost-pairs", repo_type="dataset").repo_id
        rows = EXAMPLES / "datasets" / "blimp" / "test.jsonl"
        files = {"benchmark.yaml": BENCHMARK.encode(), "test.jsonl": rows.read_bytes()}
        self._commit(self.data, files, repo_type="dataset")
        self.model = self.api.create_repo("bench/cost").repo_id
        self.api.upload_folder(repo_id=self.model, folder_path=TINY)
        rule = f'looks: 1\nbenchmarks: [{{benchmark: "{self.reference}", margin: 0.05}}]\n'
        self._commit(self.model, {".weighbridge/gate.yaml": rule.encode()})
        self.path = f"{hub.url}/api/models/{self.model}"

    @property
    def reference(self) -> str:
        return f"{self.data}:benchmark.yaml"

    def evaluation(self) -> float:
        """Seconds of a run that measures a version that was never measured."""
        self._new_version()
        body = {"benchmarks": [self.reference]}
        answer = self.hub.session.post(f"{self.path}/evaluations", json=body)
        answer.raise_for_status()
        number = answer.json()["number"]
        return self._seconds(lambda: self._get(f"runs/{number}"))

    def gate(self) -> float:
        """Seconds of a gate that knows neither side."""
        self._new_version()
        return self.gate_again()

    def gate_again(self) -> float:
        """Seconds of a gate whose base has been measured by the one before."""
        proposed = self._new_version(create_pr=True)
        return self._seconds(lambda: self._gate_of(proposed.pr_num))

    def _new_version(self, **more: Any) -> Any:
        content = json.dumps({"max_length": next(self.numbers)}).encode()
        return self._commit(self.model, {"generation_config.json": content}, **more)

    def _commit(self, repo_id: str, files: dict[str, bytes], **more: Any) -> Any:
        operations = [CommitOperationAdd(path, content) for path, content in files.items()]
        return self.api.create_commit(repo_id, operations, commit_message="More", **more)

    def _gate_of(self, pull_request: int) -> dict[str, Any] | None:
        """The run that weighs a pull request, once it is there."""
        runs = self._get("runs?kind=compare")["runs"]
        return next((run for run in runs if run["pullRequest"] == pull_request), None)

    def _get(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.hub.session.get(f"{self.path}/{path}").json()
        return found

    def _seconds(self, ask: Callable[[], dict[str, Any] | None]) -> float:
        """From the claim of a run to its end, by the database's clock."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            run = ask()
            if run is not None and run["status"] not in ("queued", "running"):
                if run["status"] != "succeeded":
                    raise RuntimeError(f"run {run['number']}: {run['error']}")
                began, ended = (
                    datetime.fromisoformat(run[key]) for key in ("startedAt", "finishedAt")
                )
                return (ended - began).total_seconds()
            time.sleep(0.25)
        raise RuntimeError(f"A run did not end within {PATIENCE_SECONDS} s.")
