"""giftless, the git-lfs server: in an environment of its own, behind uWSGI as its image runs it.

Each file
is stored in one folder, without a look at its hash and without a sync.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from demo.files import cache_folder
from tests.server import free_port

PINS = Path(__file__).with_suffix(".txt")
INSTALL_SECONDS = 300
CONFIGURATION = """\
AUTH_PROVIDERS: [giftless.auth.allow_anon:read_write]
LEGACY_ENDPOINTS: false
TRANSFER_ADAPTERS:
  basic:
    factory: giftless.transfer.basic_streaming:factory
    options:
      storage_class: giftless.storage.local_storage:LocalStorage
      storage_options: {{path: {storage}}}
"""


@dataclass(frozen=True)
class Giftless:
    """A running giftless."""

    url: str
    storage: Path

    def ask(self, sha256: str, size_bytes: int) -> tuple[str, dict[str, str]]:
        """Where to send a file, and the headers it wants."""
        wanted = {"operation": "upload", "objects": [{"oid": sha256, "size": size_bytes}]}
        answer = requests.post(
            f"{self.url}/bench/big.git/info/lfs/objects/batch",
            json=wanted | {"transfers": ["basic"]},
            headers={"Accept": "application/vnd.git-lfs+json"},
            timeout=60,
        )
        answer.raise_for_status()
        action = answer.json()["objects"][0]["actions"]["upload"]
        return action["href"], action["header"]

    def stored(self, sha256: str) -> Path:
        return next(self.storage.rglob(sha256))


@contextmanager
def giftless(folder: Path) -> Iterator[Giftless | str]:
    """It, running; or a sentence why it does not."""
    try:
        environment = _installed()
    except (subprocess.SubprocessError, OSError) as error:
        yield f"giftless could not be installed: {error}"
        return
    storage, port = folder / "giftless", free_port()
    configuration = folder / "giftless.yaml"
    configuration.write_text(CONFIGURATION.format(storage=storage))
    with (folder / "giftless.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(str(environment / "bin" / "uwsgi"), "--http-socket", f"127.0.0.1:{port}"),
                *("--master", "--die-on-term", "--processes", "2", "--threads", "2"),
                *("--manage-script-name", "--module", "giftless.wsgi_entrypoint"),
                *("--callable", "app"),
            ],
            env=os.environ | {"GIFTLESS_CONFIG_FILE": str(configuration)},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        running = Giftless(f"http://127.0.0.1:{port}", storage)
        yield running if _answers(running) else "giftless did not start"
    finally:
        process.terminate()
        process.wait(20)


def _installed() -> Path:
    """The environment that holds it, made at the first run."""
    environment = cache_folder() / "giftless-0.6.2"
    done = environment / "complete"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
        subprocess.run(
            [str(environment / "bin" / "pip"), "install", "--quiet", "-r", str(PINS)],
            check=True, timeout=INSTALL_SECONDS, capture_output=True,
        )  # fmt: skip
        done.touch()
    return environment


def _answers(running: Giftless) -> bool:
    for _ in range(100):
        try:
            running.ask("0" * 64, 1)
        except (requests.RequestException, LookupError, ValueError):
            time.sleep(0.1)
        else:
            return True
    return False
