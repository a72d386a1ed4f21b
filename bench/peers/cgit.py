"""cgit, a CGI program in C, from Debian's package: behind the same nginx as the hub.

The package is fetched by apt and unpacked below the cache folder, nothing is installed. Its cache
of pages is off, for the hub keeps none either; highlighting is off as Debian ships it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.peers.cgi import answer_by
from bench.peers.git_backend import LOCATION, wait_for
from bench.peers.nginx import nginx_in_front
from demo.files import cache_folder
from hub.supervisor.processes import WEB_THREADS, WEB_WORKERS

PEER = "cgit by a CGI bridge (gunicorn) behind the same nginx"
PACKAGES = ("cgit", "liblua5.1-0")
FETCH_SECONDS = 300
CONFIGURATION = """\
cache-size=0
enable-index-owner=0
virtual-root=/
repo.url=it
repo.path={repository}
"""


@contextmanager
def cgit(repository: Path, folder: Path) -> Iterator[str]:
    """Its address, which is followed by `tree/…?h=main`; or a sentence why it does not run."""
    try:
        root = _unpacked()
    except (subprocess.SubprocessError, OSError) as error:
        yield f"cgit could not be fetched: {error}"
        return
    folder.mkdir()
    configuration = folder / "cgitrc"
    configuration.write_text(CONFIGURATION.format(repository=repository))
    place = folder / "bridge.sock"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "bench.peers.cgit:application"),
            *("--bind", f"unix:{place}", "--worker-class", "gthread", "--no-control-socket"),
            *("--workers", str(WEB_WORKERS), "--threads", str(WEB_THREADS)),
            *("--log-level", "error"),
        ],
        env=os.environ | {"BENCH_CGIT_ROOT": str(root), "CGIT_CONFIG": str(configuration)},
    )
    try:
        wait_for(place)
        with nginx_in_front(folder / "nginx", LOCATION.format(socket=place)) as url:
            yield f"{url}/it"
    finally:
        process.terminate()
        process.wait(20)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    root = Path(os.environ["BENCH_CGIT_ROOT"])
    libraries = {"LD_LIBRARY_PATH": str(root / "usr/lib/x86_64-linux-gnu")}
    program = str(root / "usr/lib/cgit/cgit.cgi")
    return answer_by([program], libraries, environ, start_response)


def _unpacked() -> Path:
    root = cache_folder() / "cgit-1.2.3"
    if not (root / "complete").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        subprocess.run(
            ["apt-get", "download", *PACKAGES], cwd=root, check=True, timeout=FETCH_SECONDS,
            capture_output=True,
        )  # fmt: skip
        for package in root.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
        (root / "complete").touch()
    return root
