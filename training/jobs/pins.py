"""Items that no proposal may lose: pinned by reviewers, looked at in every gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.jobs.scoring import Asked, Scored
from training.models import Pin
from training.specs.gate import parse_reference


def pinned_items(repository_id: int, asked: Sequence[Asked]) -> dict[str, list[Pin]]:
    """The pins of a model's repository by the key of their benchmark in this run.

    A pin names the place of its benchmark and the hash of its item: it holds as long as the
    benchmark still asks that item.
    """
    found: dict[str, list[Pin]] = {}
    # By key, not by name: a data set that is renamed must not lose its pins.
    places = {each.key: (each.pinned.repository_id, each.pinned.path) for each in asked}
    issued = {each.key: {item.id for item in each.issued} for each in asked}
    for pin in Pin.objects.filter(repository=repository_id).select_related("benchmark"):
        for key, place in places.items():
            pinned_at = (pin.benchmark.repository_id, pin.benchmark.path)
            if pinned_at == place and pin.item_id in issued[key]:
                found.setdefault(key, []).append(pin)
    return found


def place_of(reference: str) -> str:
    """`namespace/name:path`, whatever revision a reference names."""
    parsed = parse_reference(reference)
    return f"{parsed.repo_id}:{parsed.path}"


def told_pins(
    pins: dict[str, list[Pin]], asked: Sequence[Asked], scored: Scored
) -> list[dict[str, Any]]:
    """Every pin with what became of its item: kept, lost, gained, or open on both sides.

    Raises: nothing; an item that was not answered is told as missing.
    """
    out = []
    for each in asked:
        metric = each.pinned.metric
        for pin in pins.get(each.key, ()):
            sides = [
                scored.items[side, each.key].get(pin.item_id) for side in ("base", "candidate")
            ]
            scores = [None if item is None else item.metrics.get(metric) for item in sides]
            out.append(
                {
                    "pin": pin.pk,
                    "benchmark": each.key,
                    "item": pin.item_id,
                    "note": pin.note,
                    "state": _state(*scores),
                }
            )
    return out


def _state(base: float | None, candidate: float | None) -> str:
    if base is None or candidate is None:
        return "missing"
    if candidate < base:
        return "lost"
    return "gained" if candidate > base else "kept" if candidate > 0 else "open"
