"""The page of what lies between two revisions' weights: words, heat map, table, one tensor."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.templatetags.hub_format import percent3
from reviews.actions.weights import tensor_comparison
from reviews.actions.weights_said import (
    KINDS,
    UNDECIDED,
    UNKNOWN,
    Sentence,
    fact_sentence,
    problem_sentence,
    shape_text,
)
from reviews.models import WeightsComparison
from reviews.weights.places import place_of
from reviews.weights.spectrum import Spectrum
from reviews.weights.tensor_stats import TensorStats

ROWS_A_PAGE = 50
COLUMNS_MOST = 200
# The smallest relative change that the heat map still shows: rounding of fp32.
FAINTEST = 1e-7
_UNKNOWN = dict.fromkeys(("relative", "cosine", "max_change", "changed_share", "rank"))
ORDERS = {
    "relative": gettext_lazy("largest change"),
    "cosine": gettext_lazy("lowest cosine"),
    "max": gettext_lazy("largest element of the change"),
    "bits": gettext_lazy("most bits changed"),
    "rank": gettext_lazy("highest rank"),
}
SORTS = {
    "relative": lambda row: row.told.get("relative") or 0.0,
    "cosine": lambda row: -(1.0 if row.told.get("cosine") is None else row.told["cosine"]),
    "max": lambda row: row.told.get("max_change") or 0.0,
    "bits": lambda row: row.told.get("changed_share") or 0.0,
    "rank": lambda row: row.told.get("rank") or 0,
}


@dataclass
class TensorRow:
    """A row of the table. `told` is what the comparison's structure holds of it."""

    told: Mapping[str, Any]
    layer: int | None
    module: str
    comments: int = 0

    @property
    def name(self) -> str:
        return str(self.told["name"])

    @property
    def kind(self) -> Any:
        return KINDS[self.told["kind"]]

    @property
    def shape(self) -> str:
        before, after = self.told["shapes"]
        if before and after and before != after:
            return f"{shape_text(before)} → {shape_text(after)}"
        return shape_text(after or before)

    @property
    def dtype(self) -> str:
        before, after = self.told["dtypes"]
        return f"{before} → {after}" if before and after and before != after else after or before

    @property
    def rank(self) -> str:
        if self.told.get("rank") is not None:
            return str(self.told["rank"])
        code = self.told.get("undecidable")
        if code == "more_than":
            return f"> {self.told['at_least']}"
        return str(UNKNOWN) if code else ""


@dataclass(frozen=True)
class HeatCell:
    value: float
    title: str
    url: str


@dataclass(frozen=True)
class HeatRow:
    label: str
    cells: list[HeatCell | None]


@dataclass
class Shown:
    """A comparison ready to be drawn; `chosen` are the page's parameters."""

    row: WeightsComparison
    sentences: list[Sentence] = field(default_factory=list)
    problems: list[Sentence] = field(default_factory=list)
    error: Sentence | None = None
    columns: list[str] = field(default_factory=list)
    heat: list[HeatRow] = field(default_factory=list)
    apart: list[TensorRow] = field(default_factory=list)
    page: Any = None
    chosen: dict[str, str] = field(default_factory=dict)
    keep: str = ""
    fixed: dict[str, str] = field(default_factory=dict)
    is_filtered: bool = False
    drawer: dict[str, Any] | None = None
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
    shown.columns, shown.heat, shown.apart = _heat(rows, shown.fixed)
    names = ("sort", "show", "q", "layer", "module")
    shown.chosen = {name: chosen.get(name, "") for name in names}
    kept = {name: value for name, value in shown.chosen.items() if value}
    shown.is_filtered = bool(kept)
    shown.keep = urlencode(shown.fixed | kept)
    found = _sorted(_filtered(rows, shown.chosen), shown.chosen["sort"])
    shown.page = Paginator(found, ROWS_A_PAGE).get_page(chosen.get("page"))
    if name := chosen.get("tensor"):
        shown.drawer = _drawer(row, rows, name)
    return shown


def _tensor_row(told: dict[str, Any], comments: Mapping[str, int]) -> TensorRow:
    place = place_of(told["name"])
    return TensorRow(_UNKNOWN | told, place.layer, place.module, comments.get(told["name"], 0))


def _filtered(rows: list[TensorRow], chosen: Mapping[str, str]) -> list[TensorRow]:
    layer, module, wanted = chosen["layer"], chosen["module"], chosen["q"].lower()
    return [
        row
        for row in rows
        if (chosen["show"] == "all" or row.told["kind"] != "same")
        and (not layer or str(row.layer) == layer)
        and (not module or row.module == module)
        and wanted in row.name.lower()
    ]


def _sorted(rows: list[TensorRow], order: str) -> list[TensorRow]:
    key = SORTS.get(order)
    return sorted(rows, key=key, reverse=True) if key else rows


# The heat map -----------------------------------------------------------------------------------


def _heat(
    rows: list[TensorRow], fixed: Mapping[str, str]
) -> tuple[list[str], list[HeatRow], list[TensorRow]]:
    """Columns are layers, rows modules; what lies outside of the layers comes apart."""
    layers = sorted({row.layer for row in rows if row.layer is not None})[:COLUMNS_MOST]
    cells: dict[tuple[str, int], list[TensorRow]] = defaultdict(list)
    modules: dict[str, None] = {}
    apart = []
    for row in rows:
        if row.layer is None:
            apart.append(row)
        else:
            modules.setdefault(row.module)
            cells[row.module, row.layer].append(row)
    order = ("attention", "mlp", "norm")
    roles = {row.module: place_of(row.name).role for row in rows}
    sorted_modules = sorted(
        modules, key=lambda each: order.index(roles[each]) if roles[each] in order else 3
    )
    heat = [
        HeatRow(module, [_cell(module, at, cells.get((module, at)), fixed) for at in layers])
        for module in sorted_modules
    ]
    return [str(layer) for layer in layers], heat, [r for r in apart if r.told["kind"] != "same"]


def _cell(
    module: str, layer: int, rows: list[TensorRow] | None, fixed: Mapping[str, str]
) -> HeatCell | None:
    if not rows:
        return None
    about = {"layer": layer, "module": module}
    touched = [row for row in rows if row.told["kind"] != "same"]
    if not touched:
        return HeatCell(0.0, _("layer %(layer)d, %(module)s: the same") % about, "")
    url = "?" + urlencode({**fixed, **about}) + "#tensors"
    relative = _relative(touched)
    if relative is None:
        kinds = ", ".join(sorted({str(row.kind) for row in touched}))
        title = _("layer %(layer)d, %(module)s: %(what)s") % (about | {"what": kinds})
        return HeatCell(1.0, title, url)
    heat = 1 + math.log10(max(relative, FAINTEST)) / -math.log10(FAINTEST)
    title = _("layer %(layer)d, %(module)s: %(what)s") % (about | {"what": percent3(relative)})
    return HeatCell(min(1.0, max(0.02, heat)), title, url)


def _relative(rows: list[TensorRow]) -> float | None:
    """The relative change of several tensors together; None where none was compared."""
    compared = [row.told for row in rows if row.told.get("change_norm") is not None]
    base = math.hypot(*(told["base_norm"] for told in compared))
    change = math.hypot(*(told["change_norm"] for told in compared))
    return change / base if base else None


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
