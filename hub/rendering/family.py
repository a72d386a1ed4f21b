"""A family drawn as a graph: one column a generation, one box a member, curves between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, MARGIN = 236, 40, 72, 14, 4
NAME_CHARACTERS = 27


@dataclass(frozen=True)
class Box:
    """Where a member stands; `label` is its name as far as it fits."""

    key: str
    label: str
    x: int
    y: int

    @property
    def middle(self) -> int:
        return self.y + BOX_HEIGHT // 2


@dataclass(frozen=True)
class FamilyGraph:
    """`lines` are paths with the relation that each stands for."""

    width: int
    height: int
    boxes: list[Box]
    lines: list[tuple[str, str]]


def draw_family(
    members: Sequence[tuple[str, str, int]], edges: Sequence[tuple[str, str, str]]
) -> FamilyGraph:
    """The graph of members (key, name, generation) and edges (parent, child, relation).

    Members of a generation stand in the order of what they are joined to on the left, so that
    fewer lines cross.
    """
    columns: dict[int, list[tuple[str, str]]] = {}
    for key, name, level in members:
        columns.setdefault(level, []).append((key, name))
    tallest = max((len(column) for column in columns.values()), default=0)
    height = tallest * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN if tallest else 0
    boxes: dict[str, Box] = {}
    for place, level in enumerate(sorted(columns)):
        column = _ordered(columns[level], edges, boxes)
        taken = len(column) * (BOX_HEIGHT + GAP_Y) - GAP_Y
        x, top = MARGIN + place * (BOX_WIDTH + GAP_X), (height - taken) // 2
        for at, (key, name) in enumerate(column):
            boxes[key] = Box(key, _fitting(name), x, top + at * (BOX_HEIGHT + GAP_Y))
    width = len(columns) * (BOX_WIDTH + GAP_X) - GAP_X + 2 * MARGIN if columns else 0
    lines = [
        (_curve(boxes[parent], boxes[child]), relation)
        for parent, child, relation in edges
        if parent in boxes and child in boxes
    ]
    return FamilyGraph(width, height, list(boxes.values()), lines)


def _ordered(
    column: list[tuple[str, str]],
    edges: Sequence[tuple[str, str, str]],
    boxes: Mapping[str, Box],
) -> list[tuple[str, str]]:
    """A generation, each member near the middle of those on its left that it is joined to."""
    wanted: dict[str, float] = {}
    for key, _name in column:
        joined = [
            boxes[other].middle
            for parent, child, _ in edges
            for one, other in ((parent, child), (child, parent))
            if one == key and other in boxes
        ]
        wanted[key] = sum(joined) / len(joined) if joined else float("inf")
    return sorted(column, key=lambda member: wanted[member[0]])


def _curve(parent: Box, child: Box) -> str:
    """From the right edge of the one further left to the left edge of the other."""
    if parent.x == child.x:  # of one generation: beside both
        x, bend = parent.x + BOX_WIDTH, parent.x + BOX_WIDTH + GAP_X // 2
        return (
            f"M{x} {parent.middle}C{bend} {parent.middle} {bend} {child.middle} {x} {child.middle}"
        )
    left, right = sorted((parent, child), key=lambda box: box.x)
    x, to_x = left.x + BOX_WIDTH, right.x
    half = (x + to_x) // 2
    return f"M{x} {left.middle}C{half} {left.middle} {half} {right.middle} {to_x} {right.middle}"


def _fitting(name: str) -> str:
    """A long name goes without its owner first: versions and sizes stand at its end."""
    if len(name) > NAME_CHARACTERS and "/" in name:
        name = f"…/{name.partition('/')[2]}"
    return name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 1]}…"
