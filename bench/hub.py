"""The hub that is measured: its processes, its people, its content."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import psutil
import requests

from demo.console import Console
from tests.server import HubServer
from tools.little_hub import LittleStory

MB = 1e6
SAMPLE_SECONDS = 0.05


class BenchHub:
    """A running hub with a folder on the same disk for what peers write."""

    def __init__(self, server: HubServer, folder: Path, console: Console) -> None:
        self.server, self.url, self.folder, self.console = server, server.url, folder, console

    @cached_property
    def token(self) -> str:
        return self.server.person("bench")

    @cached_property
    def session(self) -> requests.Session:
        """HTTP with the token of `bench`, one connection kept open."""
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {self.token}"
        return session

    @cached_property
    def story(self) -> LittleStory:
        """The little model under a protected branch, with one proposal whose gate has passed."""
        story = LittleStory(self.server)
        story.begin()
        story._wait_for_gate(story.first)
        return story

    def create(self, name: str) -> str:
        """The id of a new model repository of `bench`."""
        answer = self.session.post(f"{self.url}/api/repos/create", json={"name": name})
        answer.raise_for_status()
        return f"bench/{name}"

    def git_dir(self, repo_id: str) -> Path:
        """Where the hub keeps a model's git repository."""
        answer = self.session.get(f"{self.url}/api/models/{repo_id}")
        answer.raise_for_status()
        return self.server.data_dir / "repositories" / f"{answer.json()['_id']}.git"

    def processes(self) -> list[psutil.Process]:
        """The supervisor and all it has started."""
        root = psutil.Process(self.server.process.pid)
        return [root, *root.children(recursive=True)]

    def web_processes(self) -> list[psutil.Process]:
        return [p for p in self.processes() if p.name() == "web"]

    def cpu_seconds(self) -> float:
        """What all processes of the hub have used so far, those that have ended left out."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())

    def idle_memory_bytes(self) -> int:
        """Memory of every process, what they share counted once."""
        return sum(process.memory_full_info().pss for process in self.processes())

    @contextmanager
    def watched_web_memory(self) -> Iterator[list[int]]:
        """Yields a list that holds, after the block, the largest growth of one web process."""
        before = {process: process.memory_info().rss for process in self.web_processes()}
        growth, ended = [0], threading.Event()

        def watch() -> None:
            while not ended.wait(SAMPLE_SECONDS):
                grown = (process.memory_info().rss - rss for process, rss in before.items())
                growth[0] = max(growth[0], *grown)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield growth
        finally:
            ended.set()
            watcher.join()


def p50_ms(act: Callable[[], object], times: int) -> float:
    """The median wall time of `act` in milliseconds, after two calls that do not count."""
    act(), act()
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds)
