"""`python -m bench.weights.timed_diff BASE CANDIDATE [cold] [read] [spectra]`: one diff, timed.

With `cold` the files are dropped from memory before; with `read` they are only read; `spectra` are
taken on top. Prints JSON: seconds (headers included; what a worker does once, starting Python and
loading what is compiled, left out), peak_mb, and the norm of each tensor's change.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.weights.checkpoints import write_pair
from reviews.weights.checkpoint import open_checkpoint
from reviews.weights.diff import diff, with_spectrum
from reviews.weights.pairing import TensorPair

READ = 1 << 23


def main() -> None:
    base, candidate, *options = sys.argv[1:]
    paths = Path(base), Path(candidate)
    with TemporaryDirectory() as folder:
        compared(write_pair(Path(folder) / "pair", {"any.weight": (2, 2)}), spectra=False)
    if "cold" in options:
        forget(paths)
    began = time.perf_counter()
    if "read" in options:
        read(paths)
        norms: dict[str, float] = {}
    else:
        norms = compared(paths, spectra="spectra" in options)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_mb": _peak_mb(), "norms": norms}))  # noqa: T201


def _peak_mb() -> float:
    """Not by getrusage: its peak counts what the process that started this one held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def forget(paths: tuple[Path, ...]) -> None:
    """Drop the files from the page cache."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(paths: tuple[Path, ...]) -> None:
    """What any diff has to do at least."""
    buffer = bytearray(READ)
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def compared(paths: tuple[Path, Path], *, spectra: bool) -> dict[str, float]:
    """Every tensor of both files is compared, as if no digest said that some are equal."""
    norms = {}
    with ExitStack() as stack:
        old, new = (
            stack.enter_context(open_checkpoint({"model.safetensors": path})) for path in paths
        )
        pairs = [
            TensorPair(name, "changed", old.tensors[name], tensor)
            for name, tensor in new.tensors.items()
        ]
        for pair, change in zip(pairs, diff(pairs, threads=os.cpu_count() or 1), strict=True):
            found = with_spectrum(change, pair) if spectra else change
            norms[found.name] = found.stats.change_norm if found.stats else 0.0
    return norms


if __name__ == "__main__":
    main()
