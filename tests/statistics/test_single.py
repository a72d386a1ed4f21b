"""One model's value with its interval, beside the formulas of scipy and a bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from training.statistics.metrics import METRICS
from training.statistics.single import mean_interval, share_interval, sums_interval


@pytest.mark.parametrize(("hits", "n"), [(0, 40), (3, 40), (20, 40), (40, 40), (955, 1000)])
def test_a_share_has_wilsons_interval(hits, n):
    found = share_interval(hits, n)
    wanted = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert (found.lower, found.upper) == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    assert found.lower <= found.value <= found.upper


def test_a_mean_has_the_t_interval():
    values = [0.2, 0.9, 0.4, 0.4, 0.7, 0.1]
    found = mean_interval(values)
    wanted = stats.t.interval(0.95, 5, loc=np.mean(values), scale=stats.sem(values))
    assert (found.lower, found.upper) == pytest.approx(wanted, abs=1e-9)


def test_items_of_one_cluster_count_as_sharing_their_luck():
    values = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    alone, together = mean_interval(values), mean_interval(values, list("aaabbbcccddd"))
    assert together.upper - together.lower > 1.5 * (alone.upper - alone.lower)
    lone = mean_interval(values, list("abcdefghijkl"))
    assert (lone.lower, lone.upper) == pytest.approx((alone.lower, alone.upper))


def test_bits_per_byte_have_the_interval_that_resampling_gives():
    source = np.random.default_rng(5)
    size = source.integers(40, 200, 300)
    rows = np.column_stack([size * source.normal(1.1, 0.2, 300), np.log(2) * size])
    metric = METRICS["bits_per_byte"]
    found = sums_interval(rows, lambda sums: float(metric.value(sums)))
    draws = source.integers(0, 300, (4000, 300))
    values = metric.value(rows[draws].sum(axis=1))
    assert found.value == pytest.approx(rows[:, 0].sum() / rows[:, 1].sum())
    assert found.lower == pytest.approx(np.quantile(values, 0.025), abs=0.005)
    assert found.upper == pytest.approx(np.quantile(values, 0.975), abs=0.005)


def test_one_item_has_a_value_and_no_spread():
    found = mean_interval([0.5])
    assert (found.value, found.lower, found.upper) == (0.5, None, None)
