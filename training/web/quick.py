"""What a quick look has found, in words."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from hub.extensions import Change, QuickBenchmark, QuickLook, QuickScore
from hub.models import Repository
from hub.templatetags.hub_format import MINUS
from training.actions.quick import newest_looks
from training.jobs.disclosure import shown_result
from training.models import Benchmark, Run
from training.web.scores import interval_text, metric_word
from training.web.units import Scale, scale_of


def quick_look(repository: Repository, change: Change) -> QuickLook | None:
    """The newest quick look at the ways of merging a proposal; None where nobody has asked."""
    newest, done = newest_looks(repository, change)
    if newest is None:
        return None
    newest.repository = repository
    return QuickLook(
        path=newest.get_absolute_url(),
        state=newest.status,
        is_live=newest.is_live,
        benchmarks=[] if done is None else benchmarks_of_look(done),
    )


def benchmarks_of_look(run: Run) -> list[QuickBenchmark]:
    """Every benchmark of a quick look, its scores by commit."""
    told = shown_result(run).get("quick", [])
    rows = Benchmark.objects.defer("spec").in_bulk([each["benchmark"] for each in told])
    sides = run.spec["quick"]["sides"]
    return [_benchmark(each, rows.get(each["benchmark"]), sides) for each in told]


def _benchmark(
    told: dict[str, Any], row: Benchmark | None, sides: dict[str, list[str]]
) -> QuickBenchmark:
    metric = row.metric_named(told["metric"]) if row is not None else {}
    scale = scale_of(metric.get("unit"))
    units = {"bits": _("bits per byte"), "nats": _("nats")}
    scores = {
        oid: _score(scale, told["sides"][name])
        for name, oids in sides.items()
        if name in told["sides"]
        for oid in oids
    }
    return QuickBenchmark(
        label=told["label"],
        metric=metric_word(metric) if metric else told["metric"],
        items=told["n"],
        of_items=told["of"],
        scores=scores,
        loss_unit=str(units.get(told["loss_unit"], "")),
        is_hidden=bool(told.get("hidden")),
    )


def _score(scale: Scale, said: dict[str, Any]) -> QuickScore:
    return QuickScore(
        score=scale.score(said["value"]),
        interval=interval_text(scale, said["lower"], said["upper"]),
        difference=_difference_text(scale, said["difference"]),
        loss=said["loss"],
    )


def _difference_text(scale: Scale, said: dict[str, float | None]) -> str:
    """+1.2 (−0.4 – +2.8); empty for the first side, and where it cannot be told."""
    value, lower, upper = (said.get(key) for key in ("value", "lower", "upper"))
    if value is None:
        return ""
    digits = 1 if scale.decimals is not None else 4
    ends = [
        f"{scale.factor * each:+.{digits}f}".replace("-", MINUS)
        for each in (value, lower, upper)
        if each is not None
    ]
    return f"{ends[0]} ({ends[1]} – {ends[2]})" if len(ends) == 3 else ends[0]
