"""Eight clients that commit at once: to eight repositories, and to one."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from bench.hub import BenchHub
from bench.rows import Absent, Bar, Row

CLIENTS, COMMITS = 8, 12
TRIES = 200
PEER = "git commit-tree and update-ref with fsync, in the same folder"
Act = Callable[[int, int], None]


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Commits a second, and whether each of them is in the history exactly once."""
    for spread, title in ((CLIENTS, "8 repositories"), (1, "one repository")):
        repositories = [hub.create(f"commits-{spread}-{number}") for number in range(spread)]
        bare = [_bare(hub.folder / f"plain-{spread}-{number}.git") for number in range(spread)]
        ours = _rate(_Api(hub, repositories))
        plain = _rate(_Plain(bare))
        folders = [hub.git_dir(repo_id) for repo_id in repositories]
        yield Row(
            "wire", f"8 clients committing to {title}", "commits/s", ours,
            Bar("ratio", ">=", 0.8), plain, PEER,
        )  # fmt: skip
        yield Row(
            "wire", f"commits to {title} that were lost or doubled", "commits",
            float(_wrong(folders)), Bar("ours", "<=", 0),
        )  # fmt: skip


def _rate(act: Act) -> float:
    """Commits a second of all clients together."""
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(_client, act, number) for number in range(CLIENTS)]:
            done.result()
    return CLIENTS * COMMITS / (time.perf_counter() - began)


def _client(act: Act, number: int) -> None:
    for turn in range(COMMITS):
        act(number, turn)


def _title(client: int, turn: int) -> str:
    return f"client {client} turn {turn}"


def _wrong(folders: list[Path]) -> int:
    """How many commits are missing from the histories or there more than once."""
    titles: Counter[str] = Counter()
    for folder in folders:
        titles.update(_git(folder, "log", "--format=%s", "main").splitlines())
    wanted = [_title(client, turn) for client in range(CLIENTS) for turn in range(COMMITS)]
    return sum(titles[title] != 1 for title in wanted)


class _Api:
    """Commits by the API. A client whose turn was lost to another one tries again, as asked."""

    def __init__(self, hub: BenchHub, repositories: list[str]) -> None:
        self._hub, self._repositories = hub, repositories
        self._of_thread = threading.local()

    def __call__(self, client: int, turn: int) -> None:
        content = base64.b64encode(b"%d %d\n" % (client, turn)).decode()
        file = {"path": f"c{client}/{turn}.txt", "content": content, "encoding": "base64"}
        lines = [
            {"key": "header", "value": {"summary": _title(client, turn), "description": ""}},
            {"key": "file", "value": file},
        ]
        repo_id = self._repositories[client % len(self._repositories)]
        for _ in range(TRIES):
            answer = self._session().post(
                f"{self._hub.url}/api/models/{repo_id}/commit/main",
                data="\n".join(map(json.dumps, lines)),
                headers={"Content-Type": "application/x-ndjson"},
                timeout=120,
            )
            if answer.status_code not in (409, 412, 503):
                answer.raise_for_status()
                return
        raise RuntimeError(f"{TRIES} tries were not enough for one commit.")

    def _session(self) -> requests.Session:
        if not hasattr(self._of_thread, "session"):
            self._of_thread.session = requests.Session()
            self._of_thread.session.headers.update(self._hub.session.headers)
        session: requests.Session = self._of_thread.session
        return session


class _Plain:
    """What a commit costs with git's own programs, nobody asking who may."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self._locks = [threading.Lock() for _ in folders]

    def __call__(self, client: int, turn: int) -> None:
        place = client % len(self._folders)
        folder = self._folders[place]
        with self._locks[place]:  # as the loser of a compare-and-swap would wait
            parent = _git(folder, "rev-parse", "main").strip()
            blob = _git(folder, "hash-object", "-w", "--stdin", stdin=f"{client} {turn}\n").strip()
            index = {"GIT_INDEX_FILE": str(folder / "bench.index")}
            _git(folder, "read-tree", parent, more=index)
            entry = f"100644,{blob},c{client}/{turn}.txt"
            _git(folder, "update-index", "--add", "--cacheinfo", entry, more=index)
            tree = _git(folder, "write-tree", more=index).strip()
            made = _git(folder, "commit-tree", tree, "-p", parent, "-m", _title(client, turn))
            _git(folder, "update-ref", "refs/heads/main", made.strip(), parent)


def _bare(folder: Path) -> Path:
    _git(folder.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(folder))
    tree = _git(folder, "mktree", stdin="").strip()
    first = _git(folder, "commit-tree", tree, "-m", "first").strip()
    _git(folder, "update-ref", "refs/heads/main", first)
    return folder


def _git(folder: Path, *arguments: str, stdin: str = "", more: dict[str, str] | None = None) -> str:
    who = {"NAME": "Bench", "EMAIL": "bench@example.org"}
    names = {f"GIT_{role}_{key}": who[key] for role in ("AUTHOR", "COMMITTER") for key in who}
    done = subprocess.run(
        ["git", "-c", "core.fsync=committed,reference", *arguments],
        cwd=folder, env=os.environ | names | (more or {}), input=stdin,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]}: {done.stderr[-600:]}")
    return done.stdout
