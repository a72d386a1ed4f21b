"""Blocks that a change keeps to, and the rows that changed most."""

from __future__ import annotations

import numpy as np
import pytest

from reviews.weights.tensor_stats import compare_tensors
from tests.weights.stored import stored

SHAPE = (96, 64)


def weights():
    return np.random.default_rng(7).normal(0, 0.05, SHAPE)


def block(edit, dtype):
    base = stored(weights(), dtype)
    values = base.rows(0, SHAPE[0]).astype(np.float64).copy()
    edit(values)
    return compare_tensors(base, stored(values, dtype)).block


def scale(part, factor):
    def edit(values):
        values[part] *= factor

    return edit


ROWS, COLUMNS = np.s_[32:48], np.s_[:, 16:24]


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
@pytest.mark.parametrize(
    ("part", "factor", "axis", "effect", "ranges"),
    [
        (ROWS, 1.5, "rows", "scaled", ((32, 48),)),
        (ROWS, 1.02, "rows", "scaled", ((32, 48),)),
        (ROWS, -1.0, "rows", "scaled", ((32, 48),)),
        (ROWS, 0.0, "rows", "zeroed", ((32, 48),)),
        (COLUMNS, 0.5, "columns", "scaled", ((16, 24),)),
        (COLUMNS, 0.0, "columns", "zeroed", ((16, 24),)),
        (np.s_[:], 1.25, "all", "scaled", ()),
        (np.s_[:], 0.0, "all", "zeroed", ()),
    ],
)
def test_blocks_are_found(dtype, part, factor, axis, effect, ranges):
    found = block(scale(part, factor), dtype)
    assert (found.axis, found.effect, found.ranges) == (axis, effect, ranges)
    if effect == "scaled":
        assert found.factor == pytest.approx(factor, rel=0.003)
    else:
        assert found.factor is None


@pytest.mark.parametrize("dtype", ["BF16", "F32"])
def test_other_edits_of_rows_are_only_changed(dtype):
    def edit(values):
        values[[3, 4, 90]] += np.random.default_rng(1).normal(0, 0.05, (3, 64))

    found = block(edit, dtype)
    assert (found.axis, found.effect, found.count) == ("rows", "changed", 3)
    assert found.ranges == ((3, 5), (90, 91))


def test_in_f32_no_factor_is_told_that_rounding_does_not_explain():
    """A norm near one, all of it moved by a hundredth, is nearly but not a multiple of itself."""
    norm = np.random.default_rng(3).normal(1.0, 0.05, 512)

    def scaled(new, dtype="F32"):
        base = stored(norm, dtype)
        return compare_tensors(base, stored(new(base.values(0, 512)), dtype)).block

    assert scaled(lambda values: values + np.float32(0.01)) is None
    found = scaled(lambda values: values * np.float32(1.00001))
    assert (found.axis, found.effect) == ("all", "scaled")
    assert found.factor == pytest.approx(float(np.float32(1.00001)), abs=1e-8)


def test_rows_moved_by_one_number_are_not_scaled():
    """Not even where a factor explains most of it."""

    def edit(values):
        values[5:9] = 1 + 0.05 * values[5:9]

    def moved(values):
        edit(values)
        values[5:9] += 0.02

    base, new = weights(), weights()
    edit(base)
    moved(new)
    block = compare_tensors(stored(base, "F32"), stored(new, "F32")).block
    assert (block.axis, block.effect, block.ranges) == ("rows", "changed", ((5, 9),))


def test_a_change_everywhere_has_no_block():
    assert block(lambda values: np.add(values, 0.01, out=values), "F32") is None


def test_rows_scaled_each_by_its_own_factor_are_not_scaled():
    def edit(values):
        values[3] *= 1.5
        values[5] *= 0.5

    assert block(edit, "F32").effect == "changed"


def test_rows_that_became_zero_are_counted_among_other_changes():
    values = weights()
    changed = values + 0.01
    changed[[4, 9]] = 0
    assert compare_tensors(stored(values), stored(changed)).zeroed_rows == 2


def test_top_rows_come_with_their_index():
    values = weights()
    changed = values.copy()
    changed[40] += 0.3
    changed[12] += 0.1
    changed[13] += 0.1
    rows = compare_tensors(stored(values), stored(changed)).rows
    assert [row.index for row in rows] == [40, 12, 13]
    assert rows[0].change_norm == pytest.approx(0.3 * 8)
    assert rows[0].relative == pytest.approx(0.3 * 8 / np.linalg.norm(values[40]))
