"""One model's value with its interval: against scipy, and the delta method against resampling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from training.statistics.metrics import METRICS
from training.statistics.single import mean_interval, share_interval, sums_interval


@given(st.integers(1, 400), st.data())
def test_a_share_has_the_wilson_interval_of_scipy(n, data):
    hits = data.draw(st.integers(0, n))
    found = share_interval(hits, n)
    expected = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert (found.lower, found.upper) == (
        pytest.approx(expected.low, abs=1e-9), pytest.approx(expected.high, abs=1e-9),
    )  # fmt: skip


def test_a_mean_has_the_t_interval_of_scipy():
    values = np.random.default_rng(1).random(50)
    found = mean_interval(values)
    expected = stats.t.interval(0.95, 49, values.mean(), stats.sem(values))
    assert (found.lower, found.upper) == pytest.approx(expected)
    assert found.to_dict() == {"value": found.value, "lower": found.lower, "upper": found.upper}


def test_clusters_widen_the_interval():
    values = np.repeat(np.random.default_rng(2).random(20), 10)
    alone, together = mean_interval(values), mean_interval(values, [i // 10 for i in range(200)])
    assert together.upper - together.lower > 2.5 * (alone.upper - alone.lower)


def test_one_item_has_no_bounds():
    found = mean_interval([0.7])
    assert (found.value, found.lower, found.upper) == (0.7, None, None)


def test_the_interval_of_sums_is_close_to_that_of_resampling():
    random = np.random.default_rng(3)
    sizes = random.integers(50, 300, 300).astype(float)
    rows = np.column_stack((sizes * random.normal(1.0, 0.2, 300), sizes))
    metric = METRICS["word_perplexity"]
    found = sums_interval(rows, metric.value)
    counts = random.multinomial(300, np.full(300, 1 / 300), 4000)
    low, high = np.quantile(metric.value(counts @ rows), [0.025, 0.975])
    width = high - low
    assert found.lower == pytest.approx(low, abs=0.1 * width)
    assert found.upper == pytest.approx(high, abs=0.1 * width)
