"""Charts drawn by the server. Rows may be objects or dictionaries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import template
from django.utils.html import format_html_join

from hub.rendering import charts, tensor_charts

register = template.Library()


def _of(row: Any, name: str) -> Any:
    return row.get(name) if isinstance(row, dict) else getattr(row, name, None)


@register.inclusion_tag("components/forest_plot.html")
def forest_plot(rows: Iterable[Any], unit: str = "", heading: str = "") -> dict[str, Any]:
    """Paired differences with their intervals and allowed margins.

    A row has label, delta, lower, upper, margin and verdict, and may have verdict_label, note,
    url; digits (decimals, 1 by default); axis, which names its unit: rows of different axes are
    drawn on scales of their own; and over, a second allowed strip (see `charts.Paired`). `unit` is
    the axis of the rows that name none, `heading` what the rows are.
    """
    panels: dict[str, list[Any]] = {}
    for row in rows:
        panels.setdefault(str(_of(row, "axis") or unit), []).append(row)
    return {
        "panels": [_panel(axis, found) for axis, found in panels.items()],
        "heading": heading,
    }


def _panel(axis: str, rows: list[Any]) -> dict[str, Any]:
    """Rows on one scale."""
    drawn = charts.forest(
        [
            charts.Paired(
                _of(row, "delta"),
                _of(row, "lower"),
                _of(row, "upper"),
                _of(row, "margin") or 0,
                _of(row, "over"),
            )
            for row in rows
        ]
    )
    names = (
        "label",
        "delta",
        "lower",
        "upper",
        "margin",
        "verdict",
        "verdict_label",
        "note",
        "url",
    )
    lines = [
        {
            **{name: _of(row, name) for name in names},
            "digits": 1 if _of(row, "digits") is None else _of(row, "digits"),
            "marks": marks,
        }
        for row, marks in zip(rows, drawn.rows, strict=True)
    ]
    grid = format_html_join(
        "", '<line class="grid" x1="{0}%" x2="{0}%" y2="46"/>', ((tick.at,) for tick in drawn.ticks)
    )
    return {"axis": axis, "rows": lines, "ticks": drawn.ticks, "grid": grid, "zero": drawn.zero}


@register.inclusion_tag("components/versions_chart.html")
def versions_chart(
    rows: Iterable[Any],
    title: str = "",
    unit: str = "",
    bare: bool = False,
    ideal: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The score of every version with its interval, oldest first.

    A row has label, score, lower, upper, and may have url. `unit` heads the score column; a
    `bare` chart has no table behind it, where the page gives a fuller one. `ideal` has the value
    and the text of the score that the benchmark aims at: a line of its own.
    """
    found = list(rows)
    drawn = charts.versions(
        [charts.Score(_of(r, "score"), _of(r, "lower"), _of(r, "upper")) for r in found],
        ideal=ideal["value"] if ideal else None,
    )
    names = ("label", "score", "lower", "upper", "url")
    lines = [
        {**{name: _of(row, name) for name in names}, "dot": dot}
        for row, dot in zip(found, drawn.dots, strict=True)
    ]
    told = {"title": title, "unit": unit, "bare": bare, "ideal": ideal}
    return {"rows": lines, "drawn": drawn, **told}


@register.inclusion_tag("components/heat_map.html")
def heat_map(columns: Sequence[str], rows: Iterable[Any], title: str = "") -> dict[str, Any]:
    """A map of numbers from 0 to 1, layer by module: the stronger the larger.

    `columns` are the headings; a row has label and cells, each None or an object with value,
    title (read out and shown on hover), text (in the table behind), and maybe url.
    """
    found = [(str(_of(row, "label")), list(_of(row, "cells"))) for row in rows]
    drawn = charts.heat(len(found), len(columns))
    lines = [
        {
            "label": label,
            "y": y,
            "middle": y + charts.HEAT_ROW / 2,
            "cells": [
                cell
                and {
                    **{name: _of(cell, name) for name in ("title", "text", "url")},
                    "level": charts.heat_level(_of(cell, "value")),
                    "x": x,
                }
                for cell, x in zip(cells, drawn.left, strict=True)
            ],
        }
        for (label, cells), y in zip(found, drawn.top, strict=True)
    ]
    every = max(1, len(columns) // 6)
    headings = [(name, x) for name, x in list(zip(columns, drawn.middle, strict=True))[::every]]
    told = {"rows": lines, "columns": columns, "headings": headings, "title": title}
    return {**told, "drawn": drawn}


@register.inclusion_tag("components/histograms.html")
def histograms(
    low: float, high: float, series: Sequence[Sequence[int]], names: Sequence[str], title: str
) -> dict[str, Any]:
    """Counts of equal bins from `low` to `high`, one series over the other."""
    drawn = tensor_charts.histograms(series, low, high)
    return {"drawn": drawn, "names": names, "title": title, "height": tensor_charts.HEIGHT}


@register.inclusion_tag("components/spectrum.html")
def spectrum(sigma: Sequence[float], edge: float | None, title: str) -> dict[str, Any]:
    """Singular values of a change, largest first; `edge` is where rounding noise begins."""
    drawn = tensor_charts.spectrum(sigma, edge)
    return {"drawn": drawn, "title": title, "height": tensor_charts.HEIGHT}
