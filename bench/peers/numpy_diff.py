"""`python -m bench.peers.numpy_diff BASE CANDIDATE`: compare two bf16 files the plain way.

What a short script over numpy does: each tensor whole, in float64, with np.histogram.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

BINS = 64


def main() -> None:
    base, candidate = (Path(path) for path in sys.argv[1:3])
    began = time.perf_counter()
    header, start = read_header(base)
    norms = {}
    for name, said in header.items():
        old, new = (tensor(path, start, said["data_offsets"]) for path in (base, candidate))
        norms[name] = compare(old, new)["change_norm"]
    print(json.dumps({"seconds": time.perf_counter() - began, "norms": norms}))  # noqa: T201


def read_header(path: Path) -> tuple[dict[str, dict[str, list[int]]], int]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(length)), 8 + length


def tensor(path: Path, start: int, offsets: list[int]) -> npt.NDArray[np.uint16]:
    count = (offsets[1] - offsets[0]) // 2
    return np.fromfile(path, dtype=np.uint16, count=count, offset=start + offsets[0])


def compare(
    old_codes: npt.NDArray[np.uint16], new_codes: npt.NDArray[np.uint16]
) -> dict[str, float]:
    old, new = (
        (codes.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        for codes in (old_codes, new_codes)
    )
    change = new - old
    old_norm, new_norm = np.linalg.norm(old), np.linalg.norm(new)
    change_norm = np.linalg.norm(change)
    span = min(old.min(), new.min()), max(old.max(), new.max())
    sizes = np.abs(change)
    return {
        "change_norm": float(change_norm),
        "relative": float(change_norm / old_norm),
        "cosine": float(old @ new / (old_norm * new_norm)),
        "max": float(sizes.max()),
        "mean": float(sizes.mean()),
        "changed": float((old_codes != new_codes).mean()),
        "broken": float(sum((~np.isfinite(side)).sum() for side in (old, new))),
        "outlier_before": float(np.abs(old).max() / np.sqrt((old**2).mean())),
        "outlier_after": float(np.abs(new).max() / np.sqrt((new**2).mean())),
        "histograms": float(
            sum(np.histogram(side, BINS, span)[0].sum() for side in (old, new))
            + np.histogram(np.log10(sizes[sizes > 0]), BINS)[0].sum()
        ),
    }


if __name__ == "__main__":
    main()
