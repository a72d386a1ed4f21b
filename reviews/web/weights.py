"""The page of what lies between two revisions' weights: words, heat map, table, one tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reviews.actions.weights import tensor_comparison
from reviews.actions.weights_said import (
    UNDECIDED,
    Sentence,
    fact_sentence,
    problem_sentence,
)
from reviews.models import WeightsComparison
from reviews.web.weights_heat import Heat, draw_heat
from reviews.web.weights_rows import Layers, TensorRow, relative_of
from reviews.weights.places import place_of
from reviews.weights.spectrum import Spectrum
from reviews.weights.tensor_stats import TensorStats

ROWS_A_PAGE = 50
_UNKNOWN = dict.fromkeys(("relative", "cosine", "max_change", "changed_share", "rank"))
ORDERS = {
    "relative": gettext_lazy("largest change"),
    "cosine": gettext_lazy("lowest cosine"),
    "max": gettext_lazy("largest element of the change"),
    "bits": gettext_lazy("most bits changed"),
    "outliers": gettext_lazy("largest outlier"),
    "rank": gettext_lazy("highest rank"),
}
SORTS = {
    "relative": lambda row: row.told.get("relative") or 0.0,
    "cosine": lambda row: -(1.0 if row.told.get("cosine") is None else row.told["cosine"]),
    "max": lambda row: row.told.get("max_change") or 0.0,
    "bits": lambda row: row.told.get("changed_share") or 0.0,
    "outliers": lambda row: row.outliers[1] or 0.0,
    "rank": lambda row: row.told.get("rank") or 0,
}


@dataclass(frozen=True)
class LayerPanel:
    """One layer, or some, with its tensors, those that changed most first."""

    layers: Layers
    rows: list[TensorRow]
    relative: float | None

    @property
    def touched(self) -> int:
        return sum(row.told["kind"] != "same" for row in self.rows)


@dataclass
class Shown:
    """A comparison ready to be drawn; `chosen` are the page's parameters."""

    row: WeightsComparison
    sentences: list[Sentence] = field(default_factory=list)
    problems: list[Sentence] = field(default_factory=list)
    error: Sentence | None = None
    heat: Heat = field(default_factory=Heat)
    apart: list[TensorRow] = field(default_factory=list)
    page: Any = None
    chosen: dict[str, str] = field(default_factory=dict)
    keep: str = ""
    fixed: dict[str, str] = field(default_factory=dict)
    is_filtered: bool = False
    drawer: dict[str, Any] | None = None
    layer: LayerPanel | None = None
    relative: float | None = None

    @property
    def fixed_query(self) -> str:
        return urlencode(self.fixed)

    @property
    def orders(self) -> list[tuple[str, Any]]:
        return list(ORDERS.items())


def shown_comparison(
    row: WeightsComparison,
    chosen: Mapping[str, str],
    comments: Mapping[str, int] | None = None,
    *,
    fixed: Mapping[str, str] | None = None,
) -> Shown:
    """What the page shows of `row`: `chosen` holds sort, show, q, layer, module, tensor, page.

    `fixed` are parameters that every link of the page keeps.
    """
    rows = [_tensor_row(told, comments or {}) for told in row.structure]
    shown = Shown(row)
    summary = row.summary or {}
    shown.sentences = [fact_sentence(fact) for fact in summary.get("facts", [])]
    shown.relative = summary.get("relative")
    told = [(each["blocks"], problem_sentence(**each)) for each in row.problems or []]
    shown.problems = [sentence for blocks, sentence in told if blocks]
    shown.sentences += [sentence for blocks, sentence in told if not blocks]
    if row.error:
        shown.error = problem_sentence(row.error["code"], None, row.error.get("parameters") or {})
    shown.fixed = dict(fixed or {})
    shown.apart = [row for row in rows if row.layer is None and row.told["kind"] != "same"]
    shown.heat = draw_heat([row for row in rows if row.layer is not None], shown.fixed)
    names = ("sort", "show", "q", "layer", "module")
    shown.chosen = {name: chosen.get(name, "") for name in names}
    kept = {name: value for name, value in shown.chosen.items() if value}
    shown.is_filtered = bool(kept)
    shown.keep = urlencode(shown.fixed | kept)
    found = _sorted(_filtered(rows, shown.chosen), shown.chosen["sort"])
    shown.page = Paginator(found, ROWS_A_PAGE).get_page(chosen.get("page"))
    if name := chosen.get("tensor"):
        shown.drawer = _drawer(row, rows, name)
    elif layer := shown.chosen["layer"]:
        shown.layer = _layer_panel(rows, layer)
    return shown


def _tensor_row(told: dict[str, Any], comments: Mapping[str, int]) -> TensorRow:
    place = place_of(told["name"])
    return TensorRow(_UNKNOWN | told, place.layer, place.module, comments.get(told["name"], 0))


def _filtered(rows: list[TensorRow], chosen: Mapping[str, str]) -> list[TensorRow]:
    layers, module, wanted = chosen["layer"], chosen["module"], chosen["q"].lower()
    some = Layers.read(layers)
    return [
        row
        for row in rows
        if (chosen["show"] == "all" or row.told["kind"] != "same")
        and (not layers or (some is not None and row.layer in some))
        and (not module or row.module == module)
        and wanted in row.name.lower()
    ]


def _sorted(rows: list[TensorRow], order: str) -> list[TensorRow]:
    key = SORTS.get(order)
    return sorted(rows, key=key, reverse=True) if key else rows


# One layer --------------------------------------------------------------------------------------


def _layer_panel(rows: list[TensorRow], layer: str) -> LayerPanel | None:
    layers = Layers.read(layer)
    if layers is None:
        return None
    found = _sorted([row for row in rows if row.layer in layers], "relative")
    return LayerPanel(layers, found, relative_of(found)) if found else None


# One tensor -------------------------------------------------------------------------------------


def _drawer(
    comparison: WeightsComparison, rows: list[TensorRow], name: str
) -> dict[str, Any] | None:
    row = next((row for row in rows if row.name == name), None)
    if row is None:
        return None
    found: dict[str, Any] = {"row": row, "stats": None, "spectrum": None}
    if (kept := tensor_comparison(comparison, name)) is not None:
        found["stats"] = TensorStats.from_dict(kept.stats)
        found["spectrum"] = kept.spectrum and Spectrum.from_dict(kept.spectrum)
    if (spectrum := found["spectrum"]) is not None and spectrum.undecidable:
        found["undecidable"] = UNDECIDED[spectrum.undecidable]
    if (stats := found["stats"]) is not None:
        found |= _drawn(stats, row.told.get("tokens") or [])
    return found


def _drawn(stats: TensorStats, tokens: Sequence[str]) -> dict[str, Any]:
    texts = [*tokens, *[""] * len(stats.rows)]
    drawn: dict[str, Any] = {
        "names": (_("before"), _("after")),
        "has_tokens": bool(tokens),
        "rows": [
            {"index": each.index, "relative": each.relative, "token": text}
            for each, text in zip(stats.rows, texts, strict=False)
        ],
    }
    if stats.values is not None:
        drawn["series"] = (stats.values.base, stats.values.candidate)
    return drawn
