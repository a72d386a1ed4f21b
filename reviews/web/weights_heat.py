"""The heat map of a comparison: layers by modules, bounded however large the model is."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from hub.templatetags.hub_format import percent3
from reviews.actions.weights_said import KINDS
from reviews.web.weights_rows import Layers, TensorRow, relative_of
from reviews.weights.places import place_of

# So many modules at most, and layers stand together where there would be more cells.
MODULES_MOST, CELLS_MOST = 24, 800
# The smallest relative change that is still shown: rounding of fp32.
FAINTEST = 1e-7


@dataclass(frozen=True)
class HeatCell:
    value: float
    title: str
    text: str
    url: str


@dataclass(frozen=True)
class HeatRow:
    label: str
    cells: list[HeatCell | None]


@dataclass(frozen=True)
class Heat:
    """`columns` head the cells of each row; `more_modules` changed less and are left out."""

    layers: list[int] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[HeatRow] = field(default_factory=list)
    more_modules: int = 0


def draw_heat(rows: Sequence[TensorRow], fixed: Mapping[str, str]) -> Heat:
    """Columns are layers, rows modules, of the tensors inside layers; both are bounded."""
    modules: dict[str, list[TensorRow]] = defaultdict(list)
    for row in rows:
        modules[row.module].append(row)
    largest = sorted(modules, key=lambda each: relative_of(modules[each]) or 0.0, reverse=True)
    most = set(largest[:MODULES_MOST])
    kept = [each for each in modules if each in most]
    layers = sorted({row.layer for row in rows if row.layer is not None})
    columns = _columns(layers, max(1, CELLS_MOST // max(1, len(kept))))
    at = {layer: column for column in columns for layer in layers if layer in column}
    cells: dict[tuple[str, Layers], list[TensorRow]] = defaultdict(list)
    for row in rows:
        if row.layer is not None:
            cells[row.module, at[row.layer]].append(row)
    drawn = [
        HeatRow(module, [_cell(module, each, cells.get((module, each)), fixed) for each in columns])
        for module in sorted(kept, key=lambda each: _place_of_role(modules[each][0]))
    ]
    return Heat(layers, [each.label for each in columns], drawn, len(modules) - len(kept))


def _place_of_role(row: TensorRow) -> int:
    role, order = place_of(row.name).role, ("attention", "mlp", "norm")
    return order.index(role) if role in order else len(order)


def _columns(layers: Sequence[int], most: int) -> list[Layers]:
    """Every layer by itself, or so many together that there are at most `most` columns."""
    size = max(1, math.ceil(len(layers) / most))
    groups = [layers[start : start + size] for start in range(0, len(layers), size)]
    return [Layers(group[0], group[-1]) for group in groups]


def _cell(
    module: str, layers: Layers, rows: list[TensorRow] | None, fixed: Mapping[str, str]
) -> HeatCell | None:
    if not rows:
        return None
    touched = [row for row in rows if row.told["kind"] != "same"]
    if not touched:
        return _heat_cell(0.0, module, layers, str(KINDS["same"]), "")
    url = "?" + urlencode({**fixed, "layer": layers.key, "module": module}) + "#tensors"
    relative = relative_of(touched)
    if relative is None:
        kinds = ", ".join(sorted({str(row.kind) for row in touched}))
        return _heat_cell(1.0, module, layers, kinds, url)
    heat = 1 + math.log10(max(relative, FAINTEST)) / -math.log10(FAINTEST)
    return _heat_cell(min(1.0, max(0.02, heat)), module, layers, percent3(relative), url)


def _heat_cell(value: float, module: str, layers: Layers, what: str, url: str) -> HeatCell:
    return HeatCell(value, _cell_title(module, layers, what), what, url)


def _cell_title(module: str, layers: Layers, what: str) -> str:
    about = {"layer": layers.first, "last": layers.last, "module": module, "what": what}
    if layers.is_single:
        return _("layer %(layer)d, %(module)s: %(what)s") % about
    return _("layers %(layer)d–%(last)d, %(module)s: %(what)s") % about
