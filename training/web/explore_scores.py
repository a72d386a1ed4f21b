"""Models by what they scored here: explore asks for a benchmark and a range.

The same evaluation stands for a model as on the benchmark's board. A gate that stopped early has
asked part of the items: such a score says of how many it is. What is self-reported or hidden finds
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from hub.extensions import ScoreChoice
from hub.models.prepared import Prepared
from hub.policies import Actor, asker, keys_of, seen_repositories
from training.actions.leaderboard_rows import Light, choose
from training.actions.leaderboards import goodness
from training.jobs.disclosure import readable_benchmarks
from training.models import Benchmark, BenchmarkDirection, Evaluation
from training.web.units import scale_of

if TYPE_CHECKING:
    from django.db.models import QuerySet

CHOICES = 60


def score_choices(actor: Actor) -> list[ScoreChoice]:
    """Benchmarks that measured something `actor` sees, by name; the newest digest of a file."""
    return [
        ScoreChoice(row.reference, f"{row.label} ({row.metric})", _hint(row))
        for row in sorted(_open(actor, _measured(actor)), key=lambda row: row.label.casefold())
    ]


def scores(
    actor: Actor, key: str, least: float | None, most: float | None
) -> dict[int, tuple[float, str]]:
    """Scores between the ends, in the scale in which boards show them: how good, and in words."""
    rows = [row for row in _measured(actor) if row.reference == key]
    benchmark = next(iter(_open(actor, rows)), None)
    if benchmark is None:
        return {}
    metric = benchmark.metric_named("")
    found: dict[int, tuple[float, str]] = {}
    scale = scale_of(metric.get("unit"))
    choice = choose(actor, [benchmark.digest])
    cells = {
        row.cells[benchmark.digest].pk: row.cells[benchmark.digest]
        for row in choice.rows
        if row.is_verified and choice.is_alike(row)
    }
    for evaluation in Evaluation.objects.filter(pk__in=cells).only("repository", "scores"):
        value = evaluation.score_of(metric["name"]).get("value")
        shown = scale.shown(value)
        if shown is None or not (least is None or shown >= least):
            continue
        if not (most is None or shown <= most):
            continue
        text = f"{benchmark.label}: {scale.score(value)}{_part(cells[evaluation.pk])}"
        found[evaluation.repository_id] = (goodness(value, metric), text)
    return found


def _part(cell: Light) -> str:
    """Of how many items a score is, where it is not of all."""
    if cell.is_whole:
        return ""
    told = {"n": cell.item_count, "total": cell.of_items}
    return f" · {_('%(n)d of %(total)d items') % told}"


def _measured(actor: Actor) -> list[Benchmark]:
    """The newest digest of each file that was measured of something `actor` sees."""
    return _MEASURED(**keys_of(actor))


def _newest(**who: int) -> QuerySet[Benchmark]:
    seen = seen_repositories(asker(**who))
    measured = Evaluation.objects.verified().filter(repository__in=seen.values("pk"))
    rows = Benchmark.objects.filter(
        pk__in=measured.values("benchmark"), repository__in=seen.values("pk")
    )
    newest = rows.order_by("repository", "path", "-pk").distinct("repository", "path")
    return newest.select_related("repository__namespace")[:CHOICES]


_MEASURED = Prepared(_newest)


def _open(actor: Actor, rows: list[Benchmark]) -> list[Benchmark]:
    told = [row for row in rows if not row.is_hidden]
    readable = readable_benchmarks(actor, told)
    return [row for row in told if row.pk in readable]


def _hint(row: Benchmark) -> str:
    return _("lower is better") if row.direction == BenchmarkDirection.LOWER else ""
