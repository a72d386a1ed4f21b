"""klaus, a git browser in Python: in an environment of its own, behind the same nginx."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers.git_backend import LOCATION, wait_for
from bench.peers.nginx import nginx_in_front
from demo.files import cache_folder
from hub.supervisor.processes import WEB_THREADS, WEB_WORKERS

PEER = "klaus 3.0.1 (gunicorn) behind the same nginx"
PINS = Path(__file__).with_suffix(".txt")
INSTALL_SECONDS = 300


@contextmanager
def klaus(repository: Path, folder: Path) -> Iterator[str]:
    """Its address, which is followed by `tree/main/…`; or a sentence why it does not run."""
    try:
        environment = _installed()
    except (subprocess.SubprocessError, OSError) as error:
        yield f"klaus could not be installed: {error}"
        return
    folder.mkdir()
    place, named = folder / "klaus.sock", folder / "it"
    _show(repository, named)
    process = subprocess.Popen(
        [
            *(str(environment / "bin" / "gunicorn"), "klaus.contrib.wsgi:application"),
            *("--bind", f"unix:{place}", "--worker-class", "gthread"),
            *("--workers", str(WEB_WORKERS), "--threads", str(WEB_THREADS)),
            *("--log-level", "error"),
        ],
        env=os.environ | {"KLAUS_REPOS": str(named), "KLAUS_SITE_NAME": "bench"},
        cwd=folder,
    )
    try:
        wait_for(place)
        with nginx_in_front(folder / "nginx", LOCATION.format(socket=place)) as url:
            yield url
    finally:
        process.terminate()
        process.wait(20)


def _show(repository: Path, named: Path) -> None:
    """The repository itself under a name, with a plain configuration: klaus' git library reads
    no sizes such as 64m."""
    named.mkdir()
    (named / "config").write_text("[core]\n\tbare = true\n")
    (named / "HEAD").write_bytes((repository / "HEAD").read_bytes())  # git follows no link here
    for each in repository.iterdir():
        if each.name not in {"config", "HEAD"}:
            (named / each.name).symlink_to(each)


def _installed() -> Path:
    environment = cache_folder() / "klaus-3.0.1"
    done = environment / "complete"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
        subprocess.run(
            [str(environment / "bin" / "pip"), "install", "--quiet", "-r", str(PINS)],
            check=True, timeout=INSTALL_SECONDS, capture_output=True,
        )  # fmt: skip
        done.touch()
    return environment
