"""The demo's story on a model of two million parameters: the same clients, in a minute.

Browser tests, screenshots and benchmarks play it for a hub with something in it.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import requests
import yaml
from huggingface_hub import WebhookWatchedItem

from demo.console import Console, check
from demo.files import EXAMPLES
from demo.server import Server
from demo.story import DATASETS, TITLES, Story
from tests.server import HubServer

TINY = Path(__file__).resolve().parents[1] / "tests" / "data" / "tiny-shakespeare-llama"
# The cut: enough items to decide with, few enough to score in seconds.
CLASS_ITEMS, GUARD_ITEMS, TRAINING_ROWS = 60, 134, 300
MESSAGE_CHARACTERS = 170
# How the small model learns: more steps, of a higher rate.
GOOD, TOO_HOT = 1.0e-2, 1.0e-1
STEPS = 40
RUN_SECONDS = 300


class QuietConsole(Console):
    """Keeps what happened to itself."""

    def line(self, text: str = "") -> None:
        pass

    def progress(self, text: str) -> None:
        pass


class LittleServer(Server):
    """A hub that runs already, as the story's actors see it."""

    def __init__(self, hub: HubServer) -> None:
        self.url, self.process, self.manage = hub.url, None, hub.manage  # type: ignore[method-assign]


class LittleStory(Story):
    """The story with the little model and cuts of the data sets; it ends in the same state."""

    def __init__(self, hub: HubServer, console: Console | None = None) -> None:
        super().__init__(LittleServer(hub), console or QuietConsole())
        self.pulls: dict[str, int] = {}

    def play(self) -> None:
        """Leave a merged, a refused and an open pull request behind, and their runs."""
        try:
            self.begin()
            check(self.teach("good") == "pass", "the gate refuses the good recipe")
            said = self._decide("good")
            check("Merged" in said, f"not merged: {said}")
            # On top of the good one there is something to lose.
            check(self.teach("too-hot") == "fail", "the gate lets the harmful recipe through")
            self.measure()
        finally:
            self.end()

    def begin(self) -> None:
        """People, the model, its data sets, a protected branch and a first proposal."""
        self.sign_up()
        self.upload()
        self.protect()
        self.contribute()
        self.arrange()

    def arrange(self) -> None:
        """What people put around repositories."""
        with self.console.step("A collection and a webhook"):
            made = self.api.create_collection("Spam and its guards", namespace="demo")
            self.collection = f"/collections/{made.slug}"
            note = "Learns to tell spam from ham."
            self.api.add_collection_item(made.slug, self.repo_id, "model", note=note)
            for name in DATASETS:
                self.api.add_collection_item(made.slug, f"demo/{name}", "dataset")
            watched = [WebhookWatchedItem("org", "demo")]
            self.api.create_webhook(url="https://hooks.invalid/weighbridge", watched=watched)

    def measure(self) -> None:
        """A second model on the same benchmarks, so that there is something to compare, and the
        search for the commit that changed a score."""
        with self.console.step("A second model, measured beside the first"):
            other = self.other = f"{self.repo_id}-plain"
            self.upload_model(other)
            for repo_id, revision in ((other, "main"), (self.repo_id, "main")):
                run = self._measured(repo_id, revision)
                check(run["status"] == "succeeded", f"not measured: {run.get('error')}")
            self.evaluation = run["result"]["evaluations"][0]["evaluation"]

    def _measured(self, repo_id: str, revision: str) -> dict[str, Any]:
        """The run that has measured a revision on the demo's benchmarks."""
        path = f"/api/models/{repo_id}"
        body = {
            "revision": revision,
            "benchmarks": [f"demo/{name}:benchmark.yaml" for name in DATASETS],
        }
        headers = {"Authorization": f"Bearer {self.owner.token}"}
        answer = requests.post(
            f"{self.server.url}{path}/evaluations", json=body, headers=headers, timeout=60
        )
        check(answer.status_code == 201, answer.text[:300])
        number = answer.json()["number"]
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            run: dict[str, Any] = self.owner_page.json(f"{path}/runs/{number}")
            if run["status"] not in {"queued", "running"}:
                return run
            time.sleep(0.5)
        raise TimeoutError(f"run {number} of {repo_id}")

    def end(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def upload(self) -> None:
        with self.console.step("The little model and cuts of the data sets"):
            little_model(self.scratch / "spam-guard")
            self.upload_model(self.repo_id)
            for name in DATASETS:
                folder = little_dataset(name, self.scratch / name)
                repo_id = f"demo/{name}"
                self.api.create_repo(repo_id, repo_type="dataset", exist_ok=True)
                self.api.upload_folder(repo_id=repo_id, repo_type="dataset", folder_path=folder)

    def teach(self, recipe: str) -> str:
        """Fine-tune by the form, wait for the run and for its gate; the verdict."""
        with self.console.step(f"Fine-tune “{recipe}” and weigh the result"):
            page = f"{self.url}/finetune"
            path = f"recipes/{recipe}.yaml"
            form = {"mode": "recipe", "recipe_path": path, "title": TITLES[recipe]}
            answer = self.owner_page.send(page, form, page=page)
            run = self._wait_for_run(int(answer.url.rpartition("/")[2]))
            self.pulls[recipe] = run["pullRequest"]
            gate = self._wait_for_gate(self.pulls[recipe])
            self.console.say(str(gate.get("sentence")))
            return str(gate["verdict"])

    def upload_model(self, repo_id: str) -> None:
        """A repository with the model, its recipes and its gate."""
        self.api.create_repo(repo_id)
        folder, message = self.scratch / "spam-guard", "The little model"
        self.api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=message)


def little_model(folder: Path) -> Path:
    """The little model beside the demo's recipes and gate, with numbers that suit its size."""
    shutil.copytree(TINY, folder)
    shutil.copytree(EXAMPLES / "spam-guard", folder, dirs_exist_ok=True)
    for name, rate in (("good", GOOD), ("too-hot", TOO_HOT)):
        path = folder / "recipes" / f"{name}.yaml"
        more = {"learning_rate": rate, "max_steps": STEPS, "max_length": 128}
        _change_yaml(path, per_device_train_batch_size=8, bf16=False, save_steps=10, **more)
    gate = folder / ".weighbridge" / "gate.yaml"
    benchmarks = yaml.safe_load(gate.read_text())["benchmarks"]
    _change_yaml(gate, benchmarks=[{**benchmark, "margin": 0.15} for benchmark in benchmarks])
    return folder


def little_dataset(name: str, folder: Path) -> Path:
    """The first rows of one of the demo's data sets, with its benchmark cut to them."""
    shutil.copytree(EXAMPLES / "datasets" / name, folder)
    for path in folder.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        few = _some(rows, name, path.stem)
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in few))
    sample: dict[str, Any] = {"limit": GUARD_ITEMS, "order": "file"}
    if name == "sms_spam":
        sample = {"balance_by": "label", "per_class": CLASS_ITEMS, "seed": 0}
    benchmark = yaml.safe_load((folder / "benchmark.yaml").read_text())["weighbridge"]
    _change_yaml(folder / "benchmark.yaml", weighbridge=benchmark | {"sample": sample})
    return folder


def _some(rows: list[dict[str, Any]], name: str, split: str) -> list[dict[str, Any]]:
    if name != "sms_spam":
        return rows[:GUARD_ITEMS]
    count = TRAINING_ROWS // 2 if split == "train" else CLASS_ITEMS
    short = [row for row in rows if len(row["text"]) <= MESSAGE_CHARACTERS]
    return [
        row
        for label in ("ham", "spam")
        for row in [row for row in short if row["label"] == label][:count]
    ]


def _change_yaml(path: Path, **changes: Any) -> None:
    values = yaml.safe_load(path.read_text()) | changes
    path.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
