"""A Celery task that does nothing, on a worker of its own: what the broker alone costs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import redis
from celery import Celery

QUEUE = "bench-noop"
TIMES = 30
READY_SECONDS = 60

app = Celery("bench", broker=os.environ.get("BENCH_BROKER_URL", "memory://"))
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 1


@app.task(name="bench.noop")
def noop(key: str) -> None:
    """Say when the body ran."""
    _connect(os.environ["BENCH_BROKER_URL"]).rpush(key, time.time())


def _connect(url: str) -> redis.Redis:
    return redis.Redis(unix_socket_path=urlsplit(url).path)


def bare_celery_ms(broker_url: str, folder: Path) -> float:
    """The median time from sending a task to its body, in milliseconds."""
    environment = {**os.environ, "BENCH_BROKER_URL": broker_url}
    sender = Celery("bench", broker=broker_url)
    with (folder / "noop.log").open("wb") as log:
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "--app", "bench.peers.celery_noop:app"),
                *("worker", "--queues", QUEUE, "--hostname", "bench@%h", "--concurrency", "1"),
                *("--without-gossip", "--without-mingle"),
            ],
            env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        store = _connect(broker_url)
        _round_trip_ms(sender, store)  # the first one waits for the worker to start
        return statistics.median(_round_trip_ms(sender, store) for _ in range(TIMES))
    finally:
        worker.terminate()
        worker.wait(30)


def _round_trip_ms(sender: Celery, store: redis.Redis) -> float:
    began = time.time()
    sender.send_task("bench.noop", ["bench-noop-said"], queue=QUEUE)
    said = store.blpop(["bench-noop-said"], timeout=READY_SECONDS)
    if said is None:
        raise RuntimeError("The bare Celery worker did not answer.")
    return 1000 * (float(said[1]) - began)
