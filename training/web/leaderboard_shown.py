"""Boards as templates take them: figures in their unit, marks on one scale, groups of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from training.actions.leaderboard_filters import languages_of, licences_of
from training.actions.leaderboard_ranks import Place
from training.actions.leaderboard_rows import EARLIER, HEAD, OTHER
from training.actions.leaderboard_sets import Cell, SetBoard, SetEntry
from training.actions.leaderboards import PARTIAL, Board, Entry, parameters_of
from training.models import Origin
from training.web.figures import (
    ARROWS,
    between,
    direction_word,
    factor,
    figure,
    unit_word,
)
from training.web.marks import Scale

VERSIONS: dict[str, str | Promise] = {
    HEAD: "",
    EARLIER: gettext_lazy("an earlier version"),
    OTHER: gettext_lazy("another branch or tag"),
}


def shown_board(board: Board) -> dict[str, Any]:
    metric = board.metric
    entries = board.entries
    scale = Scale.over([v for each in entries for v in (each.value, each.lower, each.upper)])
    rows = {id(entry): _row(entry, metric, scale) for entry in entries}
    return {
        "groups": _groups([(each.place, rows[id(each)]) for each in board.ranked]),
        "apart": [rows[id(each)] for each in board.apart],
        "may_compare_apart": any(rows[id(each)]["key"] for each in board.apart),
        "models": len(board.ranked),
        "in_part": sum(each.state == PARTIAL for each in board.apart),
        "ticks": scale.ticks(factor=factor(metric)),
        **_heads(metric),
    }


def shown_set(board: SetBoard) -> dict[str, Any]:
    metric = board.metric
    values = [v for each in board.ranked for v in (each.average, each.lower, each.upper)]
    scale = Scale.over(values)
    return {
        "groups": _groups([(e.place, _set_row(e, metric, scale)) for e in board.ranked]),
        "apart": [_set_row(entry, metric, scale) for entry in board.apart],
        "models": len(board.ranked),
        "columns": [_column(column) for column in board.columns],
        "ticks": scale.ticks(factor=factor(metric)),
        **_heads(metric),
    }


def _heads(metric: dict[str, Any]) -> dict[str, Any]:
    return {
        "metric": metric.get("label", ""),
        "unit": unit_word(metric),
        "arrow": ARROWS.get(str(metric.get("direction")), ""),
        "direction": direction_word(metric),
    }


def _groups(rows: Sequence[tuple[Place | None, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows that stand together and share their ranks, in the order they come in."""
    groups: list[dict[str, Any]] = []
    last: int | None = None
    for place, row in rows:
        if place is None:
            continue
        if not groups or place.group != last:
            groups.append({"rank": rank_word(place), "rows": []})
            last = place.group
        groups[-1]["rows"].append(row)
    return groups


def rank_word(place: Place) -> str:
    """1, or 2–4 where no item result tells them apart."""
    return f"{place.low}–{place.high}" if place.is_shared else str(place.low)


def _row(entry: Entry, metric: dict[str, Any], scale: Scale) -> dict[str, Any]:
    row = entry.evaluation
    would = rank_word(entry.would) if entry.would else ""
    return _facts(entry) | {
        "key": _key(entry),
        "finish_url": _finish_url(entry),
        "score": figure(entry.value, metric),
        "interval": between(entry.lower, entry.upper, metric),
        "mark": scale.mark(entry.value, entry.lower, entry.upper),
        "is_verified": entry.is_verified,
        "origin": _("verified") if entry.is_verified else _("self-reported"),
        "reason": entry.reason,
        "would": would,
        "beside": beside_word(entry, metric),
        "contradicts": entry.contradicts,
        "dtype": entry.dtype,
        "measured": _measured(entry),
        "at": row.updated_at if row else None,
        "n": row.item_count if row else None,
        "of": board_items(entry),
        "claim": entry.claim.source if entry.claim else "",
        "is_loose": bool(row and row.origin == Origin.REPORTED and not row.items_sha256),
    }


def beside_word(entry: Entry, metric: dict[str, Any]) -> str:
    """What was measured here of a model that a report is about."""
    here = entry.measured
    if here is None:
        return ""
    told = {
        "score": figure(here.value, metric),
        "interval": between(here.lower, here.upper, metric) or "—",
    }
    return _("measured here: %(score)s (%(interval)s)") % told


def _key(entry: Entry) -> str:
    """How the compare page names the row: a merge may have been measured as a tree, which no
    branch ever stood at, so the head goes by its branch."""
    row = entry.evaluation
    if row is None or entry.measured is not None:
        return ""
    at = "" if entry.version == HEAD else f"@{row.revision}"
    return f"{entry.repository.repo_id}{at}"


def _finish_url(entry: Entry) -> str:
    """The form that measures the rest of a model that was measured in part."""
    row = entry.evaluation
    if row is None or entry.state != PARTIAL:
        return ""
    wanted = {"benchmark": row.benchmark.reference}
    if entry.version != HEAD:
        wanted["revision"] = row.revision
    return f"{entry.repository.get_absolute_url()}/evaluate?{urlencode(wanted)}"


def board_items(entry: Entry) -> int | None:
    """The items that were asked, where these are not all."""
    row = entry.evaluation
    return row.item_count if row is not None and entry.state == "partial" else None


def _measured(entry: Entry) -> str:
    """With what it was measured, in a few words."""
    settings = entry.evaluation.settings if entry.evaluation else {}
    told = [str(settings.get(key) or "") for key in ("harness", "dtype")]
    return " · ".join(filter(None, told))


def _facts(entry: Entry | SetEntry) -> dict[str, Any]:
    repository = entry.repository
    return {
        "repository": repository,
        "version": VERSIONS[entry.version],
        "parameters": parameters_of(repository),
        "licences": licences_of(repository),
        "languages": languages_of(repository)[:3],
    }


def _set_row(entry: SetEntry, metric: dict[str, Any], scale: Scale) -> dict[str, Any]:
    return _facts(entry) | {
        "cells": [_cell(cell) for cell in entry.cells],
        "score": figure(entry.average, metric),
        "interval": between(entry.lower, entry.upper, metric),
        "mark": scale.mark(entry.average, entry.lower, entry.upper),
        "missing": [str(reference) for reference in entry.missing],
        "key": "",
    }


def _cell(cell: Cell) -> dict[str, Any]:
    """One score of a set's table with why it does not count, if so."""
    score, row = cell.score, cell.evaluation
    if row is None:
        return {"is_missing": True, "label": cell.column.label}
    note = ""
    if row.origin == Origin.REPORTED:
        note = _("self-reported")
    elif not row.is_whole:
        note = _("%(n)d of %(total)d items") % {
            "n": row.item_count,
            "total": row.benchmark.item_count,
        }
    elif not cell.is_alike:
        note = _("other settings")
    metric = cell.column.metric
    return {
        "score": figure(score.get("value"), metric),
        "interval": between(score.get("lower"), score.get("upper"), metric),
        "note": note,
        "label": cell.column.label,
    }


def _column(column: Any) -> dict[str, Any]:
    metric = column.metric
    return {
        "label": column.label,
        "reference": str(column.reference),
        "url": column.benchmark.get_absolute_url() if column.benchmark else "",
        "metric": metric.get("label", ""),
        "unit": unit_word(metric),
        "arrow": ARROWS.get(str(metric.get("direction")), ""),
        "items": column.benchmark.item_count if column.benchmark else None,
    }
