"""Ranks over the average of tasks: leads add up, and so do their squared standard errors."""

import random

import pytest

from training.statistics.intervals import averaged, clustered_estimate, paired_estimate
from training.statistics.quantiles import normal_tail
from training.statistics.set_ranking import Task, _board, _p_values, _pairs, rank_averages
from training.statistics.verdicts import Direction

A = [0.62, 0.71, 0.55, 0.80, 0.43, 0.91, 0.38, 0.66]
B = [0.60, 0.74, 0.50, 0.82, 0.41, 0.90, 0.40, 0.61]


def named(scores):
    return {f"i{n}": score for n, score in enumerate(scores)}


def right(share, n, seed):
    drawn = random.Random(seed)
    return named([float(drawn.random() < share) for _ in range(n)])


def test_a_lead_has_the_standard_error_of_the_paired_difference():
    task = Task({"a": named(A), "b": named(B)}, metric="f1")
    ((lead, variance),) = _pairs(_board(task, ["a", "b"]))
    assert lead[0] == pytest.approx(0.01, abs=1e-12)
    assert variance[0] ** 0.5 == pytest.approx(0.0110194633, abs=1e-9)  # M2


def test_clusters_share_their_luck():
    a = [1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0]
    b = [1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0]
    clusters = dict(zip(named(a), "aaabbbcccddd", strict=True))
    task = Task({"a": named(map(float, a)), "b": named(map(float, b))}, clusters=clusters)
    ((lead, variance),) = _pairs(_board(task, ["a", "b"]))
    assert (lead[0], variance[0] ** 0.5) == pytest.approx((0.0, 0.2357022604), abs=1e-9)  # M3


def test_the_average_is_that_of_the_formula():
    """The chance that two averages are equal, beside the interval of `averaged`."""
    import numpy as np

    first, second = np.array(A) - np.array(B), np.array(B) - np.array(A[::-1])
    estimates = [paired_estimate(first), paired_estimate(second)]
    deltas = [each.delta for each in estimates]
    errors = [each.standard_error for each in estimates]
    interval = averaged(deltas, errors, alpha=0.05)
    assert interval.standard_error == pytest.approx(sum(e**2 for e in errors) ** 0.5 / 2)
    p = _p_values(np.array([interval.delta]), np.array([interval.standard_error**2]))
    z = abs(interval.delta) / interval.standard_error
    assert p[0] == pytest.approx(2 * normal_tail(z))


def test_models_far_apart_are_ranked_and_close_ones_share_a_rank():
    shares = {"good": 0.9, "fine": 0.6, "same": 0.6, "bad": 0.2}
    tasks = [
        Task({name: right(share, 400, f"{name}{t}") for name, share in shares.items()})
        for t in range(3)
    ]
    groups = rank_averages(tasks)
    assert [sorted(group.models) for group in groups] == [["good"], ["fine", "same"], ["bad"]]
    assert [(g.rank_low, g.rank_high) for g in groups] == [(1, 1), (2, 3), (4, 4)]


def test_a_weight_is_a_share_of_the_average():
    alone = {"a": named([1.0] * 200), "b": named([0.0] * 200)}
    other = {"a": named([0.0] * 200), "b": named([1.0] * 199 + [0.0])}
    heavy = [Task(alone, weight=3.0), Task(other)]
    assert rank_averages(heavy)[0].models == ("a",)
    assert rank_averages([Task(alone), Task(other, weight=3.0)])[0].models == ("b",)


def test_lower_is_better_where_a_task_says_so():
    task = Task({"a": named(A), "b": named([x + 0.2 for x in A])}, "brier", Direction.LOWER)
    assert rank_averages([task])[0].models == ("a",)


@pytest.mark.parametrize(
    "second",
    [{"a": named(A)}, {"a": named(A), "b": named(B[:-1])}, {"a": named(A), "c": named(B)}],
)
def test_a_task_without_a_model_or_an_item_is_refused(second):
    first = {"a": named(A), "b": named(B)}
    with pytest.raises(ValueError, match="set needs"):
        rank_averages([Task(first, metric="f1"), Task(second, metric="f1")])


def test_no_tasks_and_single_items_prove_nothing():
    assert rank_averages([]) == []
    groups = rank_averages([Task({"a": {"i": 1.0}, "b": {"i": 0.0}})])
    assert [group.models for group in groups] == [("a", "b")]


def test_clustered_estimate_agrees_with_the_board():
    """The same clusters by another path."""
    import numpy as np

    drawn = random.Random(5)
    a, b = ([drawn.random() for _ in range(60)] for _ in range(2))
    codes = [n // 4 for n in range(60)]
    clusters = {key: codes[n] for n, key in enumerate(named(a))}
    estimate = clustered_estimate(np.array(a) - np.array(b), np.array(codes, dtype=np.intp))
    task = Task({"a": named(a), "b": named(b)}, metric="f1", clusters=clusters)
    ((lead, variance),) = _pairs(_board(task, ["a", "b"]))
    assert lead[0] == pytest.approx(estimate.delta)
    assert variance[0] ** 0.5 == pytest.approx(estimate.standard_error)
