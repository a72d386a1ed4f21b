"""How long a run waits before something happens, beside the same parts without a hub."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.hub import BenchHub
from bench.peers.celery_noop import bare_celery_ms
from bench.rows import Absent, Bar, Row
from hub.supervisor import Services
from tools.little_hub import TINY

GATES = 8
STEPS = 2
PATIENCE_SECONDS = 120
RECIPE = {
    "prompt": "Message: {{text}}\nIs this message spam or ham? Answer:",
    "completion": "{{label}}",
    "max_steps": STEPS,
    "learning_rate": 1e-3,
    "per_device_train_batch_size": 2,
    "max_length": 64,
    "logging_steps": 1,
    "lora": {"r": 4, "lora_alpha": 8},
}


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Doorbell to claim; button to the first point of the curve."""
    broker = Services(hub.server.data_dir, {}).environment()["BROKER_URL"]
    claimed = statistics.median(_claim_ms(hub) for _ in range(GATES))
    yield Row(
        "runs", "submitted → claimed by a worker, p50", "ms", claimed, Bar("ours", "<=", 500),
        bare_celery_ms(broker, hub.folder), "a bare Celery task on the same broker",
    )  # fmt: skip
    yield Row(
        "runs", "submitted → first loss on the page", "s", _first_loss_seconds(hub),
        Bar("ratio", "<=", 2), _by_hand_seconds(hub.folder), "the trainer started by hand",
    )  # fmt: skip


def _claim_ms(hub: BenchHub) -> float:
    """From the row's commit to the worker's claim, by the database's clock."""
    story = hub.story
    path = f"/api/models/{story.repo_id}/discussions/{story.first}/gate"
    headers = {"Authorization": f"Bearer {story.owner.token}"}
    answer = hub.session.post(f"{hub.url}{path}", json={}, headers=headers)
    answer.raise_for_status()
    run = _wait_for(hub, answer.json()["number"])
    created, started = (datetime.fromisoformat(run[key]) for key in ("createdAt", "startedAt"))
    return 1000 * (started - created).total_seconds()


def _wait_for(hub: BenchHub, number: int) -> dict[str, Any]:
    """A run of the story's model, once it has ended."""
    path = f"{hub.url}/api/models/{hub.story.repo_id}/runs/{number}"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        run: dict[str, Any] = hub.session.get(path).json()
        if run["status"] == "succeeded":
            return run
        if run["status"] not in {"queued", "running"}:
            raise RuntimeError(f"run {number}: {run['error']}")
        time.sleep(0.05)
    raise RuntimeError(f"run {number} did not end within {PATIENCE_SECONDS} s")


def _first_loss_seconds(hub: BenchHub) -> float:
    """From the request to start a fine-tune until its metrics have a point."""
    path = f"{hub.url}/api/models/{hub.story.repo_id}/runs"
    headers = {"Authorization": f"Bearer {hub.story.owner.token}"}
    dataset = {"repo_id": "demo/sms_spam", "file": "train.jsonl"}
    began = time.perf_counter()
    answer = hub.session.post(
        path, json={"recipe": RECIPE | {"dataset": dataset}, "title": "Bench"}, headers=headers
    )
    answer.raise_for_status()
    number = answer.json()["number"]
    while not hub.session.get(f"{path}/{number}/metrics").json()["series"]:
        if time.perf_counter() - began > PATIENCE_SECONDS:
            raise RuntimeError(f"run {number} logged no loss within {PATIENCE_SECONDS} s")
        time.sleep(0.05)
    seconds = time.perf_counter() - began
    _wait_for(hub, number)
    return seconds


def _by_hand_seconds(folder: Path) -> float:
    """The same steps by `python -m training.runner`, from its start to its first loss."""
    data = folder / "train.jsonl"
    rows = [{"text": f"message {number}", "label": "ham"} for number in range(20)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    job = {"kind": "finetune", "model": str(TINY), "data": [str(data)], "recipe": RECIPE}
    path = folder / "job.json"
    path.write_text(json.dumps(job | {"out": str(folder / "by-hand")}))
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "training.runner", str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            if json.loads(line).get("type") == "metric":
                return time.perf_counter() - began
    raise RuntimeError("The trainer that was started by hand logged no loss.")
