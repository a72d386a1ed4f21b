"""Whether two programs merged to the same numbers."""

from __future__ import annotations

import numpy as np

from bench.peers.mergekit import NAME
from bench.rows import Bar, Row
from reviews.weights.checkpoint import Checkpoint
from reviews.weights.merging.choosing import largest
from reviews.weights.merging.formulas import kept_count
from reviews.weights.tensors import Tensor

DENSITY = 0.5


def agreement(
    method: str, base: Checkpoint, tunes: list[Checkpoint], merged: Checkpoint, wanted: Checkpoint
) -> Row:
    """A quicker wrong answer is no measurement: how far `merged` is from what the peer `wanted`."""
    if method == "ties":
        return _equal_but_for_ties(base, tunes, merged, wanted)
    if method == "dare_linear":
        return _alike_in_expectation(base, tunes[0], merged, wanted)
    return _equal(method, merged, wanted)


def _equal(method: str, merged: Checkpoint, wanted: Checkpoint) -> Row:
    """How many elements differ at all."""
    apart = total = 0
    for name, tensor in wanted.tensors.items():
        apart += int(np.count_nonzero(_codes(tensor) != _codes(merged.tensors[name])))
        total += tensor.count
    return Row(
        "weights", f"elements of a {method} merge unlike {NAME}'s, by million", "",
        apart / total * 1e6, Bar("ours", "<=", 1),
    )  # fmt: skip


def _equal_but_for_ties(
    base: Checkpoint, tunes: list[Checkpoint], merged: Checkpoint, wanted: Checkpoint
) -> Row:
    """Elements apart where none of the models stands at its threshold. Among equal magnitudes
    mergekit keeps whichever its sort puts first; ours keeps those that come first."""
    unlike = 0
    for name, tensor in wanted.tensors.items():
        apart = _codes(tensor) != _codes(merged.tensors[name])
        if not apart.any():
            continue
        whole = base.tensors[name].values(0, tensor.count)
        for tune in tunes:
            delta = tune.tensors[name].values(0, tensor.count) - whole
            chosen = largest(lambda delta=delta: iter([delta]), kept_count(DENSITY, len(delta)))
            apart &= np.abs(delta) != chosen.magnitude
        unlike += int(np.count_nonzero(apart))
    return Row(
        "weights", f"elements of a TIES merge unlike {NAME}'s, not at a threshold", "",
        unlike, Bar("ours", "<=", 0),
    )  # fmt: skip


def _alike_in_expectation(
    base: Checkpoint, tune: Checkpoint, merged: Checkpoint, wanted: Checkpoint
) -> Row:
    """Both drop by lot, each by another: the share that is kept and the sum of sizes are compared.

    (mergekit scales what is kept to the sum of all sizes, ours by 1 / density.)
    """
    ours, theirs = (_kept(base, tune, each) for each in (merged, wanted))
    return Row(
        "weights", "how far DARE's kept share and sum of sizes lie from mergekit's", "",
        max(abs(ours[0] - theirs[0]), abs(ours[1] / theirs[1] - 1)), Bar("ours", "<=", 0.001),
    )  # fmt: skip


def _kept(base: Checkpoint, tune: Checkpoint, merged: Checkpoint) -> tuple[float, float]:
    """Of the elements that training changed, the share that the merge changed; its sum of sizes."""
    changed = kept = 0
    size = 0.0
    for name, tensor in tune.tensors.items():
        whole = base.tensors[name].values(0, tensor.count)
        moved = merged.tensors[name].values(0, tensor.count) - whole
        changed += int(np.count_nonzero(tensor.values(0, tensor.count) != whole))
        kept += int(np.count_nonzero(moved))
        size += float(np.abs(moved).sum(dtype=np.float64))
    return kept / changed, size


def _codes(tensor: Tensor) -> np.ndarray:
    return tensor.codes(0, tensor.count)
