"""Marks of charts stand where their numbers say."""

from __future__ import annotations

import itertools

import pytest

from hub.rendering.charts import Paired, Score, forest, heat, heat_level, ticks, versions
from hub.templatetags.hub_charts import forest_plot


def value_at(drawn, place):
    """The value at a place, read back from two ticks: a second path to the same scale."""
    first, last = drawn.ticks[0], drawn.ticks[-1]
    slope = (last.value - first.value) / (last.at - first.at)
    return first.value + (place - first.at) * slope


def test_a_forest_plot_can_be_read_back():
    rows = [Paired(1.5, -0.8, 3.8, 2.0), Paired(-1.0, -4.6, 2.6, 5.0)]
    drawn = forest(rows)
    for row, marks in zip(rows, drawn.rows, strict=True):
        assert value_at(drawn, marks.point) == pytest.approx(row.delta, abs=0.05)
        assert value_at(drawn, marks.whisker[0]) == pytest.approx(row.lower, abs=0.05)
        assert value_at(drawn, marks.whisker[1]) == pytest.approx(row.upper, abs=0.05)
        assert value_at(drawn, marks.margin[0]) == pytest.approx(-row.margin, abs=0.05)
        assert not marks.cut_left and not marks.cut_right
    assert value_at(drawn, drawn.zero) == pytest.approx(0, abs=0.05)


def test_a_giant_is_an_arrow_and_the_others_stay_readable():
    rows = [Paired(45, 37, 53, 2), Paired(1.5, -0.8, 3.8, 2), Paired(-1, -2, 0.2, 2)]
    giant, usual, _ = forest(rows).rows
    assert giant.off == "right" and giant.cut_right
    assert usual.whisker[1] - usual.whisker[0] > 10


def test_what_was_not_measured_has_no_marks():
    drawn = forest([Paired(None, None, None, 2.0)])
    assert drawn.rows[0].point is None and drawn.rows[0].whisker is None
    assert forest([]).rows == []


def test_one_sided_bounds_reach_from_the_bound_to_the_estimate():
    drawn = forest([Paired(1.0, -0.5, None, 2.0)])
    low, high = drawn.rows[0].whisker
    assert value_at(drawn, low) == pytest.approx(-0.5, abs=0.05)
    assert value_at(drawn, high) == pytest.approx(1.0, abs=0.05)


def test_a_strip_beyond_a_target_is_drawn_where_it_is_in_sight():
    near = Paired(2.0, -1.0, 6.0, 3.0, over=(4.0, 7.0))
    far = Paired(0.5, -1.0, 2.0, 3.0, over=(40.0, 43.0))
    drawn = forest([near])
    assert value_at(drawn, drawn.rows[0].over[0]) == pytest.approx(4.0, abs=0.05)
    assert forest([far]).rows[0].over is None


def test_rows_of_different_units_stand_on_scales_of_their_own():
    rows = [
        {"label": "spam", "delta": 2.0, "lower": -1.0, "upper": 5.0, "margin": 2, "axis": "points"},
        {"label": "songs", "delta": 0.002, "lower": 0.001, "upper": 0.003, "margin": 0.005,
         "axis": "bits", "digits": 3},
        {"label": "grammar", "delta": 1.0, "lower": -1.0, "upper": 3.0, "margin": 2,
         "axis": "points"},
    ]  # fmt: skip
    drawn = forest_plot(rows)["panels"]
    assert [(each["axis"], len(each["rows"])) for each in drawn] == [("points", 2), ("bits", 1)]
    assert max(tick.value for tick in drawn[1]["ticks"]) < 0.01
    assert [row["digits"] for row in drawn[1]["rows"]] == [3]


@pytest.mark.parametrize(("low", "high"), [(-8.3, 13), (0.001, 0.0042), (40, 99), (-1e6, 5)])
def test_ticks_are_round_even_and_few(low, high):
    found = ticks(low, high, 6)
    steps = {round(b - a, 9) for a, b in itertools.pairwise(found)}
    assert 2 <= len(found) <= 7 and len(steps) == 1
    assert low <= found[0] and found[-1] <= high


def test_versions_run_from_left_to_right_and_better_is_higher():
    drawn = versions([Score(50, 45, 55), Score(None, None, None), Score(95, 92, 97)])
    first, gap, last = drawn.dots
    assert gap is None
    assert first.x < last.x and last.y < first.y
    assert last.top < last.y < last.bottom


def test_the_score_aimed_at_is_always_on_the_chart():
    drawn = versions([Score(58, 55, 61), Score(60, 57, 63)], ideal=50)
    assert all(dot.bottom < drawn.ideal < drawn.height for dot in drawn.dots)
    assert versions([Score(58, 55, 61)]).ideal is None


def test_one_version_and_none_can_be_drawn():
    assert versions([Score(3.0, None, None)]).dots[0].x == 50
    assert versions([]).path == ""


def test_heat_is_the_darker_the_larger():
    levels = [heat_level(value) for value in (None, 0, 0.001, 0.2, 0.5, 1.0)]
    assert levels == [0, 0, 1, 2, 4, 7]


def test_cells_of_a_heat_map_fill_its_width_and_none_lies_over_another():
    drawn = heat(rows=3, columns=30)
    lefts, width = [float(left) for left in drawn.left], float(drawn.width)
    assert lefts[0] == 0 and 99 < lefts[-1] + width <= 100
    assert all(left + width <= right for left, right in itertools.pairwise(lefts))
    assert drawn.top == [0, 26, 52] and drawn.height > 52 + drawn.cell
