"""The hill between two models: whether the loss rises on the line from one to the other."""

from __future__ import annotations

from collections.abc import Mapping


def loss_barrier(losses: Mapping[float, float]) -> float:
    """max over alpha of L(alpha) - ((1 - alpha) L(0) + alpha L(1)); never below 0.

    `losses` are by alpha in [0, 1], 0 the first model and 1 the second; both ends are needed.
    Raises: ValueError: an end is missing, or an alpha lies outside.
    Source: Frankle et al. 2020, Linear mode connectivity, arXiv:1912.05671, section 2.
    """
    if 0 not in losses or 1 not in losses:
        raise ValueError("a barrier needs the losses of both ends")
    if not all(0 <= alpha <= 1 for alpha in losses):
        raise ValueError("alpha runs from 0 to 1")
    return max(
        loss - ((1 - alpha) * losses[0] + alpha * losses[1]) for alpha, loss in losses.items()
    )
