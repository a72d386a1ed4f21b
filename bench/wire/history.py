"""git over HTTP: clone and push of a long history, beside `git http-backend` behind nginx."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.hub import BenchHub
from bench.peers.git_backend import PEER, git_backend, git_backend_program
from bench.rows import Absent, Bar, Row
from bench.wire.fixtures import import_history

COMMITS, FILES = 2000, 400
CLONES, PUSHES = 3, 3


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """The best of some turns each; the peer checks nothing of what is pushed."""
    if git_backend_program() is None:
        yield Absent("wire", "git clone and push", "git came without http-backend")
        return
    folder = hub.folder / "git"
    source = folder / "source.git"
    _git("init", "--quiet", "--bare", "--initial-branch=main", str(source))
    import_history(source, files=FILES, commits=COMMITS)
    hub.create("history")
    ours_url = hub.url.replace("://", f"://bench:{hub.token}@") + "/bench/history"
    peers = folder / "peer"
    _git("init", "--quiet", "--bare", "--initial-branch=main", str(peers / "history.git"))
    _git(f"--git-dir={peers / 'history.git'}", "config", "http.receivepack", "true")
    pushed: dict[str, list[float]] = {"ours": [], "peer": []}
    cloned: dict[str, list[float]] = {"ours": [], "peer": []}
    with git_backend(peers) as peer_url:
        sides = {"ours": ours_url, "peer": f"{peer_url}/history.git"}
        for turn in range(PUSHES):
            for side, url in sides.items():
                branch = f"refs/heads/turn-{turn}"
                pushed[side].append(_push(source, url, branch))
                if turn < PUSHES - 1:  # the next one has to send everything again
                    _forget(hub, side, peers / "history.git", branch)
        for url in sides.values():
            _git(f"--git-dir={source}", "push", "--quiet", "--force", url, "main")
        for turn in range(CLONES):
            for side, url in sides.items():
                cloned[side].append(_clone(url, folder / f"{side}-{turn}"))
    for name, found in (("clone", cloned), ("push", pushed)):
        yield Row(
            "wire", f"git {name} of {COMMITS:,} commits", "s", min(found["ours"]),
            Bar("ratio", "<=", 1.1), min(found["peer"]), PEER,
        )  # fmt: skip


def _push(source: Path, url: str, branch: str) -> float:
    began = time.perf_counter()
    _git(f"--git-dir={source}", "push", "--quiet", url, f"main:{branch}")
    return time.perf_counter() - began


def _clone(url: str, target: Path) -> float:
    began = time.perf_counter()
    _git("clone", "--quiet", "--bare", url, str(target))
    seconds = time.perf_counter() - began
    count = _git(f"--git-dir={target}", "rev-list", "--count", "main").strip()
    if int(count) < COMMITS:
        raise RuntimeError(f"The clone from {url.rpartition('@')[2]} has {count} commits.")
    shutil.rmtree(target)
    return seconds


def _forget(hub: BenchHub, side: str, peer: Path, branch: str) -> None:
    """Take what was pushed away again, the objects too."""
    git_dir = hub.git_dir("bench/history") if side == "ours" else peer
    _git(f"--git-dir={git_dir}", "update-ref", "-d", branch)
    _git(f"--git-dir={git_dir}", "-c", "gc.reflogExpire=now", "prune-packed", "--quiet")
    _git(f"--git-dir={git_dir}", "repack", "-a", "-d", "--quiet")
    _git(f"--git-dir={git_dir}", "prune", "--expire=now")


def _git(*arguments: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own |= {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "HOME": os.devnull}
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=False, env=own, timeout=300
    )
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]}: {done.stderr[-600:]}")
    return done.stdout
