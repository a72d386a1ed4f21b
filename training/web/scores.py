"""Scores of versions as charts and tables take them: in people's units, with words beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hub.models import Repository
from training.actions.history import History, Point
from training.actions.reported_numbers import lies_outside
from training.jobs.disclosure import told_score
from training.models import Benchmark, Evaluation, Origin
from training.web.units import Scale, scale_of

Row = dict[str, Any]
REPORTS_SHOWN = 3  # of one version
ARROWS = {"higher": "↑", "lower": "↓", "target": "◎"}


def metric_word(metric: Mapping[str, Any]) -> str:
    """acc ↑, bits_per_byte ↓, pct_stereotype ◎ 0.5"""
    direction = str(metric.get("direction"))
    target = f" {metric['target']:g}" if metric.get("target") is not None else ""
    return f"{metric['label']} {ARROWS.get(direction, '')}{target}"


def direction_word(metric: Mapping[str, Any]) -> str:
    """Which way is better, in words."""
    words = {"higher": _("higher is better"), "lower": _("lower is better")}
    if metric.get("target") is not None:
        return _("closest to %(target)s is best") % {"target": f"{metric['target']:g}"}
    return words.get(str(metric.get("direction")), "")


def ideal_of(metric: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a score should come close to, on the chart's scale and as text; None where more, or
    less, is always better."""
    if metric.get("target") is None:
        return None
    scale = scale_of(metric.get("unit"))
    return {"value": scale.shown(metric["target"]), "text": scale.score(metric["target"])}


def interval_text(scale: Scale, lower: float | None, upper: float | None) -> str:
    """92.7 – 97.5 %; empty where there is none."""
    if lower is None or upper is None:
        return ""
    return f"{scale.score(lower).removesuffix(scale.suffix)} – {scale.score(upper)}"


def score_row(evaluation: Evaluation, metric: Mapping[str, Any], *, may_read: bool) -> Row:
    """One measurement's score of one metric, as text and as the chart's numbers."""
    scale = scale_of(metric.get("unit"))
    told = told_score(evaluation, metric["name"], may_read=may_read)
    value, lower, upper = (told.get(key) for key in ("value", "lower", "upper"))
    is_reported = evaluation.origin == Origin.REPORTED
    return {
        "value": value,
        "score": scale.shown(value),
        "lower": scale.shown(lower),
        "upper": scale.shown(upper),
        "score_text": scale.score(value),
        "interval_text": interval_text(scale, lower, upper),
        "is_coarse": bool(told.get("is_coarse")),
        "origin": "plain" if is_reported else "pass",
        "origin_word": _("self-reported") if is_reported else _("verified"),
        "count_text": count_text(evaluation),
        "is_partial": not evaluation.is_whole,
        "evaluation_url": evaluation_url(evaluation),
        "dtype": evaluation.settings.get("dtype", ""),
    }


def count_text(evaluation: Evaluation) -> str:
    """How many items: of how many, where a gate stopped early."""
    of_items = evaluation.benchmark.item_count
    if evaluation.item_count == of_items:
        return ngettext("%(count)d item", "%(count)d items", of_items) % {"count": of_items}
    told = {"count": evaluation.item_count, "all": of_items}
    return _("%(count)d of %(all)d items") % told


def evaluation_url(evaluation: Evaluation) -> str:
    return f"{evaluation.repository.get_absolute_url()}/evaluations/{evaluation.pk}"


def version_rows(
    history: History,
    metric: Mapping[str, Any],
    names: Mapping[str, str],
    repository: Repository,
    *,
    may_read: bool,
) -> list[Row]:
    """Every measured version, the oldest first, with how it stands to the one before."""
    rows: list[Row] = []
    before: Point | None = None
    for point in history.points:
        version = point.version
        row = score_row(point.evaluation, metric, may_read=may_read) | {
            "label": names.get(version.oid, version.short),
            "subject": version.subject,
            "oid": version.oid,
            "committed_at": version.committed_at,
            "commit_url": f"{repository.get_absolute_url()}/commit/{version.oid}",
            "url": evaluation_url(point.evaluation),
            "between": point.number - before.number - 1 if before else 0,
        }
        row["reports"] = [
            _report(each, metric, row, may_read=may_read)
            for each in history.reports.get(version.digest, ())[:REPORTS_SHOWN]
        ]
        row["fell"] = bool(rows) and has_fallen(rows[-1], row, metric)
        if before is not None and row["fell"]:
            row["bisect_url"] = bisect_url(
                repository, history.benchmark, metric["name"], before.version.oid, version.oid
            )
        rows.append(row)
        before = point
    return rows


def _report(
    evaluation: Evaluation, metric: Mapping[str, Any], measured: Row, *, may_read: bool
) -> Row:
    """What was reported of a version that was measured here, and whether that contradicts it."""
    row = score_row(evaluation, metric, may_read=may_read)
    outside = lies_outside(row["score"], measured["lower"], measured["upper"])
    return row | {"contradicts": outside}


def has_fallen(before: Row, row: Row, metric: Mapping[str, Any]) -> bool:
    """Whether the score before lies outside of this one's interval, on the better side: a reason
    to look, and no proof."""
    then, now, lower, upper = before["score"], row["score"], row["lower"], row["upper"]
    if then is None or now is None or lower is None or upper is None:
        return False
    ideal = ideal_of(metric)
    if ideal is not None:
        is_farther = abs(now - ideal["value"]) > abs(then - ideal["value"])
        return not lower <= then <= upper and is_farther
    return bool(then < lower) if metric.get("direction") == "lower" else bool(then > upper)


def bisect_url(
    repository: Repository, benchmark: Benchmark, metric: str, good: str, bad: str
) -> str:
    """The form that looks for the commit between two versions, filled in."""
    wanted = {"benchmark": str(benchmark.pk), "metric": metric, "good": good, "bad": bad}
    return f"{repository.get_absolute_url()}/bisect?{urlencode(wanted)}"
