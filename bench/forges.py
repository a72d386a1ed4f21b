"""The same repository in the hub, in cgit and in klaus: a folder, a file, a history, a change."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import requests

from bench.hub import BenchHub, p50_ms
from bench.peers.cgit import PEER as CGIT
from bench.peers.cgit import cgit
from bench.peers.klaus import PEER as KLAUS
from bench.peers.klaus import klaus
from bench.rows import Absent, Bar, Row
from bench.wire.fixtures import import_history, path_of

TIMES = 30
FILES, COMMITS = 300, 1000
BARS = {CGIT: Bar("ratio", "<=", 2.0), KLAUS: Bar("ratio", "<=", 0.99)}


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """p50 of each page, all sides in turn; nobody keeps pages."""
    model = hub.create("beside-forges")
    git_dir = hub.git_dir(model)
    import_history(git_dir, files=FILES, commits=COMMITS)
    oid = _head(git_dir)
    path = path_of(7)
    own = {
        "tree": f"{hub.url}/{model}/tree/main/flat",
        "blob": f"{hub.url}/{model}/blob/main/{path}",
        "log": f"{hub.url}/{model}/commits/main",
        "diff": f"{hub.url}/{model}/commit/{oid}",
    }
    with ExitStack() as stack:
        peers: dict[str, dict[str, str]] = {}
        at_cgit = stack.enter_context(cgit(git_dir, hub.folder / "cgit"))
        at_klaus = stack.enter_context(klaus(git_dir, hub.folder / "klaus"))
        if at_cgit.startswith("http"):
            peers[CGIT] = {
                "tree": f"{at_cgit}/tree/flat?h=main",
                "blob": f"{at_cgit}/tree/{path}?h=main",
                "log": f"{at_cgit}/log/?h=main",
                "diff": f"{at_cgit}/commit/?id={oid}",
            }
        else:
            yield Absent("pages", CGIT, at_cgit)
        if at_klaus.startswith("http"):
            peers[KLAUS] = {
                "tree": f"{at_klaus}/it/tree/main/flat",
                "blob": f"{at_klaus}/it/blob/main/{path}",
                "log": f"{at_klaus}/it/tree/main/",
                "diff": f"{at_klaus}/it/commit/{oid}/",
            }
        else:
            yield Absent("pages", KLAUS, at_klaus)
        reader = requests.Session()
        reader.headers["Accept"] = "text/html"
        for name, address in own.items():
            for peer, addresses in peers.items():
                theirs = _p50(reader, addresses[name])
                ours = _p50(reader, address)
                title = f"{name}, {FILES} files and {COMMITS:,} commits, p50"
                yield Row("pages", title, "ms", ours, BARS[peer], theirs, peer)


def _p50(reader: requests.Session, address: str) -> float:
    return p50_ms(lambda: reader.get(address, timeout=60).raise_for_status(), TIMES)


def _head(git_dir: Path) -> str:
    done = subprocess.run(
        ["git", f"--git-dir={git_dir}", "rev-parse", "main"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()
