"""Rank groups over the average of several tasks (gate-methods, section 6).

The lead of one model over another is the mean of its leads on the tasks, and its standard error
sqrt(sum of SE²) / T: tasks share no items. Every task is paired by item, as on its own board.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.statistics.formulas import Array
from training.statistics.metrics import metric_named
from training.statistics.quantiles import normal_tail
from training.statistics.ranking import (
    Board,
    RankGroup,
    Score,
    groups_of,
    oriented,
    read_board,
    shown_better,
)
from training.statistics.verdicts import Direction


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a set: scores of every model by item id, and how they are read.

    `weight` is its share of the average, before all are divided by their sum.
    """

    scores_by_model: Mapping[str, Mapping[str, Score]]
    metric: str = "acc"
    direction: Direction = Direction.HIGHER
    target: float | None = None
    clusters: Mapping[str, Hashable] | None = None
    weight: float = 1.0


def rank_averages(tasks: Sequence[Task], alpha: float = 0.05) -> list[RankGroup]:
    """Models in groups by their average over `tasks`, best first, with Holm over all pairs.

    Raises: ValueError where a task lacks a model or an item of one, or a score is not finite.
    """
    models = sorted(tasks[0].scores_by_model) if tasks else []
    if not models:
        return []
    total = sum(task.weight for task in tasks)
    values = np.zeros(len(models))
    leads = [np.zeros(len(models) - row - 1) for row in range(len(models) - 1)]
    variances = [np.zeros_like(lead) for lead in leads]
    for task in tasks:
        board, share = _board(task, models), task.weight / total
        values += share * board.values
        for row, (gap, variance) in enumerate(_pairs(board)):
            leads[row] += share * gap
            variances[row] += share**2 * variance
    rows = [(lead, _p_values(lead, spread)) for lead, spread in zip(leads, variances, strict=True)]
    return groups_of(models, values, shown_better(rows, alpha, len(models)))


def _board(task: Task, models: list[str]) -> Board:
    if sorted(task.scores_by_model) != models:
        raise ValueError("Every task of a set needs the same models.")
    board = read_board(models, task.scores_by_model, metric_named(task.metric), task.clusters)
    if not board.has.all():
        raise ValueError("Every model of a set needs all items of every task.")
    return oriented(board, task.direction, task.target)


def _pairs(board: Board) -> Iterator[tuple[Array, Array]]:
    """For each model its mean lead over every later one, and the square of the standard error."""
    n = board.scores.shape[1]
    for row in range(len(board.values) - 1):
        leads = board.scores[row] - board.scores[row + 1 :]
        means = leads.mean(axis=1)
        residuals = leads - means[:, np.newaxis]
        if board.starts is not None:
            residuals = np.add.reduceat(residuals, board.starts, axis=1)
        units = residuals.shape[1]
        if units < 2:  # one item, or one cluster, has no spread to speak of
            yield means, np.full(len(means), np.inf)
        else:
            yield means, units / (units - 1) * (residuals**2).sum(axis=1) / n**2


def _p_values(leads: Array, variances: Array) -> Array:
    """Two-sided, of "their averages are equal"."""
    found = []
    for lead, variance in zip(leads.tolist(), variances.tolist(), strict=True):
        if lead == 0.0 or not np.isfinite(variance):
            found.append(1.0)
        elif variance <= 0.0:
            found.append(0.0)
        else:
            found.append(2.0 * normal_tail(abs(lead) / variance**0.5))
    return np.array(found)
