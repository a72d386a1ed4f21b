"""Quantiles against published tables (NIST/SEMATECH e-Handbook 1.3.6.7.2, to their digits)."""

import pytest
from scipy import stats

from training.statistics.quantiles import (
    normal_quantile,
    normal_tail,
    normal_upper,
    t_cdf,
    t_quantile,
    t_upper,
)


@pytest.mark.parametrize(
    ("probability", "published"),
    [(0.95, 1.644853627), (0.975, 1.959963985), (0.8, 0.841621234), (0.5, 0.0)],
)
def test_the_normal_quantile_is_the_published_one(probability, published):
    assert normal_quantile(probability) == pytest.approx(published, abs=1e-9)


@pytest.mark.parametrize(
    ("probability", "degrees_of_freedom", "published"),
    [
        (0.95, 1, 6.3137515148),
        (0.975, 1, 12.7062047362),
        (0.95, 2, 2.9199855804),
        (0.95, 3, 2.3533634348),
        (0.95, 7, 1.8945786051),
        (0.975, 10, 2.2281388520),
        (0.99, 30, 2.4572615424),
        (0.95, 100, 1.6602343261),
        (0.95, 1000, 1.6463788173),
        (0.5, 4, 0.0),
        (0.05, 7, -1.8945786051),
    ],
)
def test_the_t_quantile_is_the_published_one(probability, degrees_of_freedom, published):
    assert t_quantile(probability, degrees_of_freedom) == pytest.approx(published, abs=1e-9)


@pytest.mark.parametrize("degrees_of_freedom", [1, 2, 5, 29, 300, 10_000])
@pytest.mark.parametrize("probability", [0.001, 0.2, 0.6, 0.999])
def test_the_t_quantile_undoes_the_distribution_function(probability, degrees_of_freedom):
    value = t_quantile(probability, degrees_of_freedom)
    assert t_cdf(value, degrees_of_freedom) == pytest.approx(probability, abs=1e-12)


def test_t_comes_close_to_the_normal_with_many_degrees_of_freedom():
    assert t_quantile(0.95, 10**7) == pytest.approx(normal_quantile(0.95), abs=1e-6)


@pytest.mark.parametrize(("probability", "degrees_of_freedom"), [(0.0, 5), (1.0, 5), (0.9, 0)])
def test_a_t_quantile_that_does_not_exist_is_refused(probability, degrees_of_freedom):
    with pytest.raises(ValueError, match="t quantile"):
        t_quantile(probability, degrees_of_freedom)


@pytest.mark.parametrize("alpha", [0.4, 0.05, 1e-4, 1e-12, 1e-80])
def test_small_levels_keep_all_their_digits(alpha):
    assert normal_upper(alpha) == pytest.approx(stats.norm.isf(alpha), rel=1e-9)
    assert normal_tail(normal_upper(alpha)) == pytest.approx(alpha, rel=1e-9)


@pytest.mark.parametrize("alpha", [0.4, 0.05, 1e-4, 1e-12])
@pytest.mark.parametrize("freedom", [1, 9, 99, 49_999])
def test_the_upper_t_value_is_that_of_scipy(alpha, freedom):
    assert t_upper(alpha, freedom) == pytest.approx(stats.t.isf(alpha, freedom), rel=1e-7)


def test_no_degrees_of_freedom_mean_the_normal():
    assert t_upper(0.05, None) == normal_upper(0.05)


@pytest.mark.parametrize("value", [-30.0, -1.5, -1e-9, 0.0, 1e-9, 0.3, 1.0, 4.0])
@pytest.mark.parametrize("freedom", [1, 7, 5000])
def test_the_t_distribution_is_that_of_scipy(value, freedom):
    expected = stats.t.cdf(value, freedom)
    assert t_cdf(value, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-14)
