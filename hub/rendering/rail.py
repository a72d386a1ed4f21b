"""A family drawn as a rail beside its list: one row a member, one column a generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Units of the drawing. Rows are as high as those of the list beside it.
ROW, COLUMN, EDGE = 64, 20, 12
# The same in the page's own unit, so that both grow with the reader's text.
UNITS_A_REM = 16


@dataclass(frozen=True)
class Rail:
    """`dots` are (x, y) of each row; `lines` are paths with the relation that each stands for."""

    width: int
    height: int
    dots: list[tuple[int, int]]
    lines: list[tuple[str, str]]

    @property
    def rem(self) -> tuple[str, str]:
        """Width and height as attributes of the drawing."""
        return f"{self.width / UNITS_A_REM:g}rem", f"{self.height / UNITS_A_REM:g}rem"


def draw_rail(
    columns: Sequence[int], joins: Sequence[tuple[int, int, str]], *, row_height: int = ROW
) -> Rail:
    """A rail of rows that stand in `columns`; `joins` are (upper row, lower row, relation)."""
    middle = row_height // 2
    dots = [(EDGE + column * COLUMN, at * row_height + middle) for at, column in enumerate(columns)]
    lines = [(_line(dots[first], dots[second], row_height), word) for first, second, word in joins]
    return Rail(2 * EDGE + max(columns, default=0) * COLUMN, len(columns) * row_height, dots, lines)


def _line(start: tuple[int, int], end: tuple[int, int], row_height: int) -> str:
    """Down beside the rows between, then round a corner into the dot."""
    (x, y), (to_x, to_y) = start, end
    if x == to_x and abs(to_y - y) == row_height:
        return f"M{x} {y}V{to_y}"
    if x == to_x:  # past the dots between
        bend = x + COLUMN // 2
        return f"M{x} {y}C{bend} {y + 10} {bend} {y + 10} {bend} {y + 24}V{to_y - 24}" + (
            f"C{bend} {to_y - 10} {bend} {to_y - 10} {to_x} {to_y}"
        )
    turn = 14 if to_y > y else -14
    return (
        f"M{x} {y}V{to_y - turn}Q{x} {to_y} {x + (turn if to_x > x else -abs(turn))} {to_y}H{to_x}"
    )
