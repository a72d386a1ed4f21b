"""The same repository in the hub, in cgit and in klaus: a folder, a file, a history, a change."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import requests

from bench.hub import BenchHub
from bench.peers.cgit import PEER as CGIT
from bench.peers.cgit import cgit
from bench.peers.klaus import PEER as KLAUS
from bench.peers.klaus import klaus
from bench.rows import Absent, Bar, Row
from bench.wire.fixtures import import_history, path_of

TIMES = 30
FILES, COMMITS = 300, 1000
BARS = {CGIT: Bar("ratio", "<=", 2.0), KLAUS: Bar("ratio", "<=", 0.99)}

# What each page has to show, whoever made it.
ALL = f"{FILES} files and {COMMITS:,} commits"
TITLES = {"tree": f"{ALL}, ours by pages of 100"}  # theirs show all of them
HOLDS = {"tree": "007.txt", "blob": "file 7, change", "log": "Change 998", "diff": "Change 999"}


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
        for name, address in own.items():
            sides = {None: address, **{peer: pages[name] for peer, pages in peers.items()}}
            medians = _p50_in_turn(sides, HOLDS[name])
            for peer in peers:
                title = f"{name}, {TITLES.get(name, ALL)}, p50"
                yield Row("pages", title, "ms", medians[None], BARS[peer], medians[peer], peer)


def _p50_in_turn(sides: dict[str | None, str], holds: str) -> dict[str | None, float]:
    """Median wall time in milliseconds: each round asks every side once, so that all of them
    meet the same load. What is asked twice beforehand must hold a text: no page of an error."""
    reader = requests.Session()
    # The hub compresses for whoever can read that; the others never do.
    reader.headers.update({"Accept": "text/html", "Accept-Encoding": "identity"})
    for address in [*sides.values()] * 2:
        answer = reader.get(address, timeout=60)
        answer.raise_for_status()
        if holds not in answer.text:
            raise RuntimeError(f"{address} does not show {holds}")
    taken: dict[str | None, list[float]] = {side: [] for side in sides}
    for _ in range(TIMES):
        for side, address in sides.items():
            began = time.perf_counter()
            reader.get(address, timeout=60).raise_for_status()
            taken[side].append(1000 * (time.perf_counter() - began))
    return {side: median(each) for side, each in taken.items()}


def _head(git_dir: Path) -> str:
    done = subprocess.run(
        ["git", f"--git-dir={git_dir}", "rev-parse", "main"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()
