"""What a diff holds in memory at most: twice the largest tensor and 200 MB."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

ALLOWED = 200e6
SCRIPT = """
import math, os, sys
from types import SimpleNamespace
from reviews.weights.diff import diff, with_spectrum
from reviews.weights.tensors import StoredTensor
import numpy as np
path, *shape = sys.argv[1:]
shape = tuple(map(int, shape))
total = math.prod(shape)
sides = []
for side in range(2):
    with open(f"{path}{side}", "wb") as file:
        random = np.random.default_rng(side)
        for place in range(0, total, 1 << 20):
            count = min(1 << 20, total - place)
            file.write(random.integers(0x3C00, 0x3D00, count, dtype=np.uint16).tobytes())
    sides.append(StoredTensor("w", "BF16", shape, "f", os.open(f"{path}{side}", os.O_RDONLY), 0))
pair = SimpleNamespace(name="w", kind="changed", base=sides[0], candidate=sides[1],
    renamed_from=None, swapped_with=None, rows_added=None, moved_file=False)
(change,) = diff([pair])
found = with_spectrum(change, pair)
assert found.stats.changed and (found.spectrum is None) == (len(shape) < 2)
# Not getrusage: its peak counts what the process that started this one held.
(peak,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(int(peak.split()[1]) * 1024)
"""


@pytest.mark.parametrize(
    "shape", [(65_536, 512), (512, 65_536), (2_304, 8_192), (33_554_432,)], ids=str
)
def test_memory_is_bounded(tmp_path, shape):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "w"), *map(str, shape)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) <= 2 * 2 * math.prod(shape) + ALLOWED
