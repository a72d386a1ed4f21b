"""mergekit, in an environment of its own, run by its command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.files import cache_folder

PINS = Path(__file__).with_suffix(".txt")
NAME = "mergekit 0.1.5"
INSTALL_SECONDS = 600
SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Ran:
    """A program from its start to its end; `peak_mb` is the most memory it held."""

    seconds: float
    peak_mb: float


def install_mergekit() -> Path:
    """The folder of its environment, made at the first run. Packages of ours are used from here."""
    environment = cache_folder() / "mergekit-0.1.5"
    done = environment / "complete"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = environment / "lib" / version / "site-packages"
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    if not done.exists():
        subprocess.run(
            [str(environment / "bin" / "pip"), "install", "--quiet", "-r", str(PINS)],
            check=True, timeout=INSTALL_SECONDS, capture_output=True, cwd=environment,
        )  # fmt: skip
        done.touch()
    return environment


def run_mergekit(environment: Path, configuration: dict[str, Any], out: Path) -> Ran:
    """Merge into `out` what a configuration in mergekit's own words says."""
    written = out.with_suffix(".yaml")
    written.write_text(json.dumps(configuration))  # JSON is YAML
    program = environment / "bin" / "mergekit-yaml"
    return run([str(program), str(written), str(out), "--quiet"], log=out.with_suffix(".log"))


def run(command: list[str], *, log: Path, **variables: str) -> Ran:
    """Run a program to its end, watching its memory. Raises: RuntimeError: it failed."""
    peak = 0
    with log.open("wb") as output:
        began = time.perf_counter()
        environment = os.environ | {"HF_HUB_OFFLINE": "1"} | variables
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        while process.poll() is None:
            peak = max(peak, _peak_kb(process.pid))
            time.sleep(SAMPLE_SECONDS)
        seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(
            f"{command[0]} ended with {process.returncode}: {log.read_text()[-800:]}"
        )
    return Ran(seconds, peak / 1000)


def _peak_kb(pid: int) -> int:
    """The high-water mark of a process, in kB; unlike getrusage's, not that of who started it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    marks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(marks[0]) if marks else 0
