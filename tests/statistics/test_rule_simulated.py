"""How often the whole rule passes harm and refuses the harmless, against the tables and promises.

Seeded simulations, vectorised: the statistics are written a second time for whole arrays here, and
held against the real ones on a sample.
"""

import numpy as np
import pytest
from scipy import special, stats

from training.statistics import looks
from training.statistics.binary import score_statistic
from training.statistics.evidence import StudentEvidence
from training.statistics.intervals import clustered_estimate, paired_estimate
from training.statistics.planning import Plan, plan

EQUAL = (1 / 3, 2 / 3, 1.0)
TRIES = 40_000


def tango(gains, losses, n, difference):
    """z(difference) of whole arrays, for a negative difference."""
    a, b = 2.0 * n, -(gains + losses) + difference * (2.0 * n - gains + losses)
    c = -losses * difference * (1.0 - difference)
    q = (-b + np.sqrt(b * b - 4.0 * a * c)) / (2.0 * a)
    spread = np.sqrt(n * (2.0 * q + difference * (1.0 - difference)))
    return (gains - losses - n * difference) / spread


def within(share, expected, tries=TRIES, rounding=5e-4):
    """Whether a simulated share is the expected one, up to four Monte-Carlo errors."""
    return abs(share - expected) <= 4 * np.sqrt(expected * (1 - expected) / tries) + rounding


def sequential(statistics, edges, counts):
    """Share of passes, and the mean number of items, of paths [K, tries] under the rule."""
    going, passed = np.ones(statistics.shape[1], dtype=bool), 0
    used = np.full(statistics.shape[1], counts[-1], dtype=float)
    for z, edge, count in zip(statistics, edges, counts, strict=True):
        passing, failing = going & (z > edge), going & (z <= -edge)
        used[passing | failing] = count
        passed += passing.sum()
        going &= ~(passing | failing)
    return passed / len(going), used.mean()


def right_wrong_paths(counts, discordance, delta, margin, seed=0):
    """z(-margin) at every look [K, tries]."""
    random = np.random.default_rng(seed)
    chances = [(discordance + delta) / 2, (discordance - delta) / 2, 1.0 - discordance]
    steps = np.diff([0, *counts])
    drawn = np.stack([random.multinomial(step, chances, TRIES) for step in steps]).cumsum(axis=0)
    gains, losses = drawn[:, :, 0], drawn[:, :, 1]
    return tango(gains, losses, np.array(counts)[:, np.newaxis], -margin)


def test_the_arrays_hold_what_the_real_statistic_says():
    for gains, losses, n in [(48, 55, 1000), (0, 0, 300), (3, 9, 150), (40, 2, 700)]:
        assert tango(gains, losses, n, -0.02) == pytest.approx(
            score_statistic(gains, losses, n, -0.02), abs=1e-9
        )


@pytest.mark.parametrize(
    ("spending", "passes", "items"),
    [("obrien_fleming", 0.888, 1637), ("pocock", 0.851, 1378), (None, 0.919, 1208)],
)
def test_an_equal_model_passes_as_often_as_the_table_says(spending, passes, items):
    counts = looks.counts(2141, EQUAL)
    edges = looks.boundaries(EQUAL, 0.05, spending) if spending else [1.644853627] * 3
    statistics = right_wrong_paths(counts, 0.10, 0.0, 0.02)
    share, used = sequential(statistics, edges, counts)
    assert within(share, passes, tries=10_000)  # the table is a simulation too
    assert used == pytest.approx(items, abs=25)


@pytest.mark.parametrize("spending", ["lan_demets", "obrien_fleming", "pocock"])
def test_a_model_at_the_margin_passes_no_more_often_than_alpha(spending):
    counts = looks.counts(2141, EQUAL)
    statistics = right_wrong_paths(counts, 0.10, -0.02, 0.02)
    share, _used = sequential(statistics, looks.boundaries(EQUAL, 0.05, spending), counts)
    assert share <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / TRIES)
    assert share >= 0.044  # and is not wasted


def test_peeking_without_boundaries_passes_twice_as_much_harm():
    counts = looks.counts(2141, EQUAL)
    statistics = right_wrong_paths(counts, 0.10, -0.02, 0.02)
    share, _used = sequential(statistics, [1.644853627] * 3, counts)
    assert within(share, 0.097, tries=10_000)


@pytest.mark.parametrize("worse", [-0.03, -0.05])
def test_a_clearly_worse_model_hardly_ever_passes(worse):
    counts = looks.counts(2141, EQUAL)
    statistics = right_wrong_paths(counts, 0.10, worse, 0.02)
    share, _used = sequential(statistics, looks.boundaries(EQUAL, 0.05), counts)
    assert share < 0.002


def student_paths(values, counts, margin):
    """(mean + margin) / SE at every look as the normal quantile of its t level, [K, tries]."""
    rows = []
    for count in counts:
        part = values[:, :count]
        error = part.std(axis=1, ddof=1) / np.sqrt(count)
        rows.append(special.ndtri(stats.t.cdf((part.mean(axis=1) + margin) / error, count - 1)))
    return np.array(rows)


def test_the_paired_t_keeps_alpha_over_the_looks():
    counts = looks.counts(120, EQUAL)
    values = np.random.default_rng(1).normal(-0.05, 0.2, (TRIES, 120))
    share, _used = sequential(
        student_paths(values, counts, 0.05), looks.boundaries(EQUAL, 0.05), counts
    )
    assert within(share, 0.05, rounding=1e-3)


def test_the_t_paths_hold_what_the_real_evidence_says():
    values = np.random.default_rng(2).normal(0.0, 0.2, (1, 60))
    evidence = StudentEvidence(paired_estimate(values[0]))
    z = student_paths(values, [60], 0.05)[0, 0]
    assert evidence.chance_above(-0.05) == pytest.approx(looks.level(z), abs=1e-9)


def test_clusters_keep_alpha_where_single_items_would_not():
    tries, groups, size = 20_000, 30, 6
    random = np.random.default_rng(3)
    luck = random.normal(0.0, 0.2, (tries, groups, 1))
    values = -0.05 + luck + random.normal(0.0, 0.2, (tries, groups, size))
    delta = values.mean(axis=(1, 2))
    sums = (values - delta[:, np.newaxis, np.newaxis]).sum(axis=2)
    error = np.sqrt(groups / (groups - 1) * (sums**2).sum(axis=1)) / (groups * size)
    passes = (delta - stats.t.isf(0.05, groups - 1) * error > -0.05).mean()
    assert within(passes, 0.05, tries)
    real = clustered_estimate(values[0].ravel(), np.repeat(np.arange(groups), size))
    assert real.standard_error == pytest.approx(error[0])
    naive = values.std(axis=(1, 2), ddof=1) / np.sqrt(groups * size)
    assert (delta - 1.653 * naive > -0.05).mean() > 0.12


@pytest.mark.parametrize(
    ("n", "discordance", "shares", "power"),
    [
        (500, 0.10, EQUAL, 0.8),
        (2000, 0.05, EQUAL, 0.9),
        (1000, 0.20, (0.25, 0.6, 1.0), 0.8),
        (1000, 0.10, (1.0,), 0.8),
    ],
)
def test_the_calculator_keeps_its_promise(n, discordance, shares, power):
    margin = plan(n, discordance, power=power, shares=shares)
    counts = looks.counts(n, shares)
    statistics = right_wrong_paths(counts, discordance, 0.0, margin, seed=4)
    share, _used = sequential(statistics, looks.boundaries(shares, 0.05), counts)
    assert share == pytest.approx(power, abs=0.012)


def test_the_calculator_keeps_its_promise_for_graded_scores():
    margin = plan(150, spread=0.25, shares=EQUAL)
    values = np.random.default_rng(5).normal(0.0, 0.25, (TRIES // 2, 150))
    counts = looks.counts(150, EQUAL)
    share, _used = sequential(
        student_paths(values, counts, margin), looks.boundaries(EQUAL, 0.05), counts
    )
    assert share == pytest.approx(0.8, abs=0.012)


def test_the_calculator_agrees_with_the_table_of_looks():
    for spending, passes in (("obrien_fleming", 0.888), ("pocock", 0.851)):
        expected = Plan(0.10, shares=EQUAL, spending=spending).chance_of_passing(2141, 0.02)
        assert expected == pytest.approx(passes, abs=0.006)
