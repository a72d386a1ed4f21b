"""Metadata reads: a tree with last commits, what a model is, HEAD of a file; and how they grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import requests

from bench.hub import BenchHub, p50_ms
from bench.rows import Absent, Bar, Row
from bench.wire.fixtures import import_history, path_of

TIMES = 25
THOUSAND = 1000
# One file less than a hundred thousand: the first commit of a repository brings one of its own.
SIZES = (100, THOUSAND, 10_000, 99_999)
REFRESH = "from hub.jobs.refresh import refresh; refresh({})"
BARS_MS = {"tree": 60.0, "info": 15.0, "head": 10.0}
# A tree's page holds a thousand files at most; info names every file there is.
GROWTH: dict[str, Callable[[int], float]] = {
    "tree": lambda size: 1.5,
    "info": lambda size: max(1.5, size / THOUSAND),
    "head": lambda size: 1.5,
}
TITLES = {
    "tree": "tree of up to 1,000 files with last commits",
    "info": "model info",
    "head": "HEAD of a file",
}


def warm_up(hub: BenchHub) -> None:
    """What every process loads at its first requests is no growth."""
    hub.create("warm")
    for _ in range(40):
        session = requests.Session()
        session.headers.update(hub.session.headers)
        for read in Reads(hub, "bench/warm", session, ".gitattributes", "").all().values():
            read()


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Each read at a thousand files and commits, then from a hundred to a hundred thousand."""
    found: dict[str, dict[int, float]] = {name: {} for name in BARS_MS}
    for size in SIZES:
        for name, milliseconds in _measured(hub, size).items():
            found[name][size] = milliseconds
    floor = p50_ms(lambda: requests.get(f"{hub.url}/healthz", timeout=60), TIMES)
    for name, limit in BARS_MS.items():
        yield Row(
            "wire", f"{TITLES[name]}, 1,000 files and commits, p50", "ms", found[name][THOUSAND],
            Bar("ours", "<=", limit), floor, "/healthz of the same server",
        )  # fmt: skip
    for name in BARS_MS:
        for size in SIZES:
            if size != THOUSAND:
                yield Row(
                    "wire", f"{TITLES[name]}, {size:,} files and commits, p50", "ms",
                    found[name][size], Bar("ratio", "<=", GROWTH[name](size)),
                    found[name][THOUSAND], "the same at 1,000",
                )  # fmt: skip


def _measured(hub: BenchHub, size: int) -> dict[str, float]:
    """The p50 of each read in a repository of `size` files and as many commits."""
    repo_id = hub.create(f"sized-{size}")
    git_dir = hub.git_dir(repo_id)
    import_history(git_dir, files=size, commits=size)
    hub.server.manage("shell", "--command", REFRESH.format(git_dir.stem))
    reads = Reads(hub, repo_id, hub.session, path_of(size // 2), "flat").all()
    return {name: p50_ms(read, TIMES) for name, read in reads.items()}


@dataclass(frozen=True)
class Reads:
    """The three reads of one repository."""

    hub: BenchHub
    repo_id: str
    session: requests.Session
    path: str
    folder: str

    def all(self) -> dict[str, Callable[[], object]]:
        return {"tree": self.tree, "info": self.info, "head": self.head}

    def tree(self) -> None:
        api = f"{self.hub.url}/api/models/{self.repo_id}"
        address: str | None = f"{api}/tree/main/{self.folder}".rstrip("/") + "?expand=true"
        while address:
            answer = self.session.get(address, timeout=60)
            answer.raise_for_status()
            if any(entry["lastCommit"] is None for entry in answer.json()):
                raise RuntimeError(f"{self.repo_id} has files without a last commit.")
            address = answer.links.get("next", {}).get("url")

    def info(self) -> None:
        self.session.get(f"{self.hub.url}/api/models/{self.repo_id}", timeout=60).raise_for_status()

    def head(self) -> None:
        address = f"{self.hub.url}/{self.repo_id}/resolve/main/{self.path}"
        self.session.head(address, timeout=60).raise_for_status()
