"""Pages of a large hub: server time, and what a first view transfers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urljoin

import requests

from bench.hub import BenchHub
from bench.rows import Absent, Bar, Row
from bench.wire.fixtures import import_history
from tests.server import running_hub

# A smaller hub for a quick look: WEIGHBRIDGE_BENCH_REPOSITORIES=5000.
REPOSITORIES = int(os.environ.get("WEIGHBRIDGE_BENCH_REPOSITORIES", "100000"))
REQUESTS, LIMIT_MS, LIMIT_BYTES = 80, 80.0, 100_000
SEED_SECONDS = 3600
# Member of organisations, with proposals, whom they follow and an inbox: see reviews' seeding.
BUSY = "seed-0000"
PASSWORD = "bench only, on loopback"  # noqa: S105
EXPLORE = {
    "explore": ["", "?kind=model", "?kind=dataset", "?sort=downloads", "?page=40", "?sort=recent"],
    "explore, words": ["?q=qwen2.5", "?q=llama+instruct", "?q=bert+translation", "?q=poems-lab"],
    "explore, misspelt": ["?q=mistrall", "?q=deepsek+instrct", "?q=stabel-difusion"],
    "explore, Chinese": ["?q=古诗生成", "?q=中文", "?q=法律问答&kind=model", "?q=微调"],
    "explore, filters": [
        "?license=mit", "?kind=model&license=mit&language=zh", "?task=text-generation&size=8B-15B",
        "?library=peft&language=fr&language=de&sort=likes", "?q=qwen&license=apache-2.0",
    ],
    "explore, a filter's values": ["/values/base?find=lab-12", "/values/license?language=zh"],
    "palette": ["PALETTE?q=qwen", "PALETTE?q=poems", "PALETTE?q=", "PALETTE?q=古诗"],
}  # fmt: skip
_ASSET = re.compile(r'<(?:link rel="stylesheet" href|script (?:type="module" )?src)="([^"]+)"')
_FONT = re.compile(r'url\("?([^")]+\.woff2)')


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """p95 of each page by somebody signed in, on a hub of its own."""
    with (
        hub.console.step(f"a hub with {REPOSITORIES:,} repositories"),
        running_hub(hub.folder / "seeded") as server,
    ):
        large = BenchHub(server, hub.folder, hub.console)
        key = _seed(large)
        owner, first = _name_of(large, key)
        readers = {}
        for name in ("reader", BUSY):
            large.server.person(name, password=PASSWORD)
            readers[name] = _signed_in(large.url, name)
        reader = readers["reader"]
        model = large.create("thousand-files")
        import_history(large.git_dir(model), files=1000, commits=1000)
        import_history(_folder(large, key), files=10, commits=3)
        pages = {
            "home": ["/"],
            "model page": [f"/{model}", f"/{owner}/{first}"],
            "tree of 1,000 files": [f"/{model}/tree/main/flat"],
            "pull request list": [f"/{owner}/{first}/discussions"],
        }
        for name, queries in EXPLORE.items():
            pages[name] = [_address(query) for query in queries]
        for name, paths in pages.items():
            yield _row(name, reader, [f"{large.url}{path}" for path in paths])
        yield _row("home of a busy person", readers[BUSY], [f"{large.url}/"])
        for name in ("home", "explore", "model page", "tree of 1,000 files", "pull request list"):
            size = first_view_bytes(reader, f"{large.url}{pages[name][0]}")
            yield Row(
                "pages", f"{name}, bytes of a first view", "B", size, Bar("ours", "<=", LIMIT_BYTES)
            )


def _row(name: str, reader: requests.Session, addresses: list[str]) -> Row:
    title = f"{name}, {REPOSITORIES:,} repositories, p95 of {REQUESTS}"
    return Row("pages", title, "ms", p95_ms(reader, addresses), Bar("ours", "<=", LIMIT_MS))


def _address(query: str) -> str:
    return query.replace("PALETTE", "/-/palette") if "PALETTE" in query else f"/-/explore{query}"


def _seed(hub: BenchHub) -> int:
    """The key of the repository with the many pull requests."""
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "manage.py", "seed_large"),
            *("--repositories", str(REPOSITORIES)),
        ],
        env=hub.server.environment, capture_output=True, text=True, check=False,
        timeout=SEED_SECONDS,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-600:])
    return int(done.stdout.split()[-1])


def _name_of(hub: BenchHub, key: int) -> tuple[str, str]:
    said = hub.server.manage(
        "shell", "-c",
        f"from hub.models import Repository; print(Repository.objects.get(pk={key}).repo_id)",
    )  # fmt: skip
    owner, _slash, name = said.splitlines()[-1].strip().partition("/")
    return owner, name


def _folder(hub: BenchHub, key: int) -> Path:
    """A bare repository for a row that was seeded without one."""
    folder = hub.server.data_dir / "repositories" / f"{key}.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(folder)], check=True)
    return folder


def _signed_in(url: str, name: str) -> requests.Session:
    reader = requests.Session()
    reader.headers["Accept"] = "text/html"
    page = reader.get(f"{url}/-/sign-in", timeout=60).text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    sent = {"username": name, "password": PASSWORD}
    if token is not None:
        sent["csrfmiddlewaretoken"] = token[1]
    answer = reader.post(
        f"{url}/-/sign-in", data=sent, headers={"Referer": f"{url}/-/sign-in"}, timeout=60
    )
    answer.raise_for_status()
    if not any(key.startswith("session") for key in reader.cookies.get_dict()):
        raise RuntimeError(f"{name} could not sign in.")
    return reader


def p95_ms(reader: requests.Session, addresses: list[str]) -> float:
    """Wall time on loopback, one connection; every address is asked twice before it counts."""
    for address in addresses * 2:
        _seconds(reader, address)
    taken = sorted(_seconds(reader, each) for each in islice(cycle(addresses), REQUESTS))
    return 1000 * taken[int(0.95 * REQUESTS) - 1]


def _seconds(reader: requests.Session, address: str) -> float:
    began = time.perf_counter()
    reader.get(address, timeout=60).raise_for_status()
    return time.perf_counter() - began


def first_view_bytes(reader: requests.Session, address: str) -> int:
    """Bytes of the page, its styles, scripts and fonts as they are sent, nothing cached."""
    total, page = _sent(reader, address)
    styles = [urljoin(address, each) for each in dict.fromkeys(_ASSET.findall(page))]
    for asset in styles:
        size, text = _sent(reader, asset)
        total += size
        for font in _FONT.findall(text):
            total += _sent(reader, urljoin(asset, font))[0]
    return total


def _sent(reader: requests.Session, address: str) -> tuple[int, str]:
    headers = {"Accept-Encoding": "gzip"}
    with reader.get(address, headers=headers, stream=True, timeout=60) as answer:
        answer.raise_for_status()
        size = len(answer.raw.read(decode_content=False))
    body = reader.get(address, timeout=60)
    return size, "" if address.endswith(".woff2") else body.text
