"""What may be told of a benchmark whose items are hidden: its verdict, and scores in coarse steps.

Whoever proposes again and again could else climb the hidden set by its last digits. Steps of half
the margin are what the Ladder mechanism allows (Blum & Hardt 2015, arXiv:1502.04585;
gate-methods, section 7). This is the one place that decides it: for pages, API, sentence, status.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor, log10
from typing import Any

Result = dict[str, Any]
# What a result says of its benchmark and of the rule, whatever came out.
_OPEN = (
    "key", "label_text", "role", "reference", "repository_id", "items_repository_id", "benchmark",
    "benchmark_digest", "metric", "metric_label", "unit", "margin_written", "hidden", "direction",
    "target", "verdict", "alpha", "look", "critical", "n", "n_max",
)  # fmt: skip
_ROUNDED = ("base_score", "candidate_score", "delta")


def coarse(result: Result) -> Result:
    """A result for those who may not know its items: no interval, no counts, no groups."""
    told: Result = {key: result[key] for key in _OPEN if key in result}
    step = step_of(result)
    told |= {
        key: None if result.get(key) is None else rounded(result[key], step) for key in _ROUNDED
    }
    reason = {"reason": result["reason"]} if result["verdict"] == "error" else {}
    return told | reason | {"margin": 2 * step, "label": None, "is_coarse": True}


def step_of(result: Result) -> float:
    """Half the margin. One that is a share of the base's score would tell that score, so only its
    size is taken: its first digit."""
    step = float(result["margin"]) / 2
    if "%" not in str(result.get("margin_written", "")):
        return step
    size: float = 10.0 ** floor(log10(step))
    return round(step / size) * size


def rounded(value: float, step: float) -> float:
    """The nearest multiple of `step`, without the dust of the division."""
    return round(round(value / step) * step, 10)


def for_everyone(results: Iterable[Result]) -> list[Result]:
    """Results as they may stand where anybody reads them, hidden ones coarse."""
    return [coarse(result) if result.get("hidden") else result for result in results]


def coarse_look(look: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """A look in which the benchmarks `keys` say no more than their verdict."""
    hidden = set(keys)
    told = {
        key: {"verdict": said["verdict"], "n": said["n"]} if key in hidden else said
        for key, said in look["benchmarks"].items()
    }
    return {**look, "benchmarks": told}
