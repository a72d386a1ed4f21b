"""A safetensors file up and down by hf_xet, beside the figures of the prototype on two cores."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from bench.hub import MB, BenchHub
from bench.rows import Absent, Bar, Row

GIB = 1024**3
FILE_BYTES = 285 * 10**6
TENSORS = 19
TURNS = 2
# The better ends of what the prototype reached on a busy machine with two cores (hf_xet 1.8).
PROTOTYPE_UP, PROTOTYPE_DOWN = 158.0, 208.0
PROTOTYPE = "the prototype's best, measured once elsewhere"
UP = """
import sys
from huggingface_hub import HfApi
path, repo_id = sys.argv[1:]
HfApi().upload_file(path_or_fileobj=path, path_in_repo="model.safetensors", repo_id=repo_id)
"""
DOWN = """
import sys
from huggingface_hub import hf_hub_download
print(hf_hub_download(sys.argv[2], "model.safetensors", local_dir=sys.argv[1]))
"""
# Loading Python and the client is no transfer: the script says when it begins and ends.
TIMED = """
import huggingface_hub.hf_api, hf_xet, time
began = time.perf_counter()
{}
print(time.perf_counter() - began)
"""


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Each upload brings new content, each download begins with an empty cache."""
    repo_id, folder = hub.create("xet"), hub.folder / "xet"
    folder.mkdir()
    up, down, up_cpu, down_cpu = [], [], [], []
    for turn in range(TURNS):
        source = _write_model(folder / f"{turn}.safetensors", seed=turn)
        before = hub.cpu_seconds()
        up.append(source.stat().st_size / MB / _timed(hub, UP, source, repo_id))
        up_cpu.append(hub.cpu_seconds() - before)
        before = hub.cpu_seconds()
        target = folder / f"down-{turn}"
        down.append(source.stat().st_size / MB / _timed(hub, DOWN, target, repo_id))
        down_cpu.append(hub.cpu_seconds() - before)
        if (target / "model.safetensors").read_bytes() != source.read_bytes():
            raise RuntimeError("What came down by Xet is not what went up.")
        shutil.rmtree(target)
        source.unlink()
    for title, rates, cpu, reached in (
        ("upload", up, up_cpu, PROTOTYPE_UP),
        ("download", down, down_cpu, PROTOTYPE_DOWN),
    ):
        yield Row(
            "wire", f"Xet {title} of a 285 MB safetensors", "MB/s", max(rates),
            Bar("ratio", ">=", 1.3), reached, PROTOTYPE,
        )  # fmt: skip
        yield Row(
            "wire", f"Xet {title}, the hub's CPU per GiB", "CPU s", min(cpu) * GIB / FILE_BYTES,
            Bar("ours", "<=", 5),
        )  # fmt: skip


def _write_model(path: Path, *, seed: int) -> Path:
    """fp32 normals, as weights are: little for a compressor to find, nothing to share."""
    dice = np.random.default_rng(seed + time.time_ns())
    shape = (FILE_BYTES // 4 // TENSORS // 1000, 1000)
    names = (f"layer.{number}.weight" for number in range(TENSORS))
    save_file({name: dice.standard_normal(shape, dtype="float32") for name in names}, path)
    return path


def _timed(hub: BenchHub, script: str, path: Path, repo_id: str) -> float:
    """Seconds that the client took, its start left out."""
    home = hub.folder / "xet" / "home"
    own = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    own |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": str(home)}
    own |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TIMED.format(script), str(path), repo_id],
        capture_output=True, text=True, check=False, env=own, timeout=300,
    )  # fmt: skip
    shutil.rmtree(home, ignore_errors=True)
    if done.returncode:
        raise RuntimeError(f"hf_xet: {done.stderr[-600:]}")
    return float(done.stdout.splitlines()[-1])
