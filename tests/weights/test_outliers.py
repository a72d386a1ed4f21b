"""Layers that changed more than others of their kind."""

from __future__ import annotations

import numpy as np
import pytest

from reviews.weights.outliers import outlying, robust_z

SIZES = [1e-3, 1.2e-3, 0.9e-3, 1.1e-3, 5e-2]


def named(sizes, kind="q_proj.weight"):
    return [(f"{kind}{at}", kind, size) for at, size in enumerate(sizes)]


def test_worked_value():
    assert robust_z([np.log10(size) for size in SIZES])[-1] == pytest.approx(27.01010047, abs=1e-6)
    (found,) = outlying(named(SIZES))
    assert (found.name, found.z) == ("q_proj.weight4", pytest.approx(27.01010047, abs=1e-6))
    assert found.times == pytest.approx(5e-2 / 1.1e-3)


def test_each_kind_has_its_own_measure():
    """What is usual for one kind is much for another."""
    many = named([5e-2, 4e-2, 6e-2, 5.5e-2, 4.5e-2], "down_proj.weight")
    assert [each.name for each in outlying(named(SIZES) + many)] == ["q_proj.weight4"]


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        SIZES[-3:],
        [0, 0, 0, 0, 1e-3, 5e-2],
        [1e-3] * 6,
        [1e-3, 1.001e-3, 1.002e-3, 0.999e-3, 1.2e-3],
        [1e-9, 1e-3, 1.2e-3, 0.9e-3, 1.1e-3],
    ],
)
def test_nothing_to_tell(sizes):
    assert outlying(named(sizes)) == []
