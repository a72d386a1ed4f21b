"""What the columns of a table hold, as pages show it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.models import TableFacts
from hub.rendering.table_charts import bars
from hub.web.table_asked import Place

COLUMNS_SHOWN = 40
TYPES = {
    "int": gettext_lazy("whole number"),
    "float": gettext_lazy("number"),
    "bool": gettext_lazy("yes or no"),
    "text": gettext_lazy("text"),
    "list": gettext_lazy("list"),
    "struct": gettext_lazy("object"),
    "time": gettext_lazy("moment"),
    "bytes": gettext_lazy("bytes"),
    "image": gettext_lazy("picture"),
    "audio": gettext_lazy("sound"),
    "null": gettext_lazy("empty"),
    "mixed": gettext_lazy("mixed"),
}
FAULTS = {
    "broken": gettext_lazy("This file is not what its name says, or it is broken."),
    "encoding": gettext_lazy("This file is not UTF-8. Save it as UTF-8."),
    "columns": gettext_lazy("This file has too many columns, or two of one name."),
    "too_large": gettext_lazy("This file cannot be paged: write one row a line, or Parquet."),
    "format": gettext_lazy("The hub reads no tables in this format."),
    "empty": gettext_lazy("This file is empty."),
    "workers_died": gettext_lazy("Every worker that tried this died of it."),
}


def total_of(facts: TableFacts) -> str:
    """How many rows there are, once that is known, to follow which ones are shown."""
    said = _("of at least %(total)s") if facts.is_cut else _("of %(total)s")
    return str(said % {"total": f"{facts.rows:,}"})


def facts_context(facts: TableFacts, place: Place, *, is_awaited: bool) -> dict[str, Any]:
    """What `hub/table_facts.html` needs.

    `is_awaited`: what stands above does not say yet how many rows there are.
    """
    told: dict[str, Any] = {
        "is_done": facts.is_done,
        "is_settled": facts.is_settled,
        "url": f"{place.facts_link()}&awaited=1" if is_awaited else place.facts_link(),
        "total": total_of(facts) if is_awaited and facts.is_done else "",
        "problem": "",
    }
    if facts.is_settled and not facts.is_done:
        told["problem"] = FAULTS.get(facts.fault, _("The columns could not be worked out."))
    if facts.is_done:
        told |= {
            "columns": [_column_card(each) for each in facts.columns[:COLUMNS_SHOWN]],
            "more_columns": max(0, len(facts.columns) - COLUMNS_SHOWN),
            "rows": facts.rows,
            "counted_rows": facts.counted_rows,
            "broken_rows": facts.broken_rows,
            "is_partial": facts.is_partial,
            "is_cut": facts.is_cut,
        }
    return told


def _column_card(told: dict[str, Any]) -> dict[str, Any]:
    spread = told.get("numbers") or told.get("moments") or told.get("lengths")
    counts = spread["histogram"]["counts"] if spread else []
    top = told.get("top") or []
    most = max((count for _value, count in top), default=0)
    return {
        **told,
        "word": TYPES.get(told["type"], told["type"]),
        "types": [(TYPES.get(k, k), n) for k, n in told.get("types", {}).items()],
        "spread": spread,
        "filled": told["rows"] - told["nulls"],
        "is_lengths": bool(spread) and spread is told.get("lengths"),
        "is_moments": bool(spread) and spread is told.get("moments"),
        "bars": bars(counts),
        "counts": ", ".join(map(str, counts)),
        "top": [(value, count, round(100 * count / most)) for value, count in top],
        "median": spread["quantiles"][2] if spread and "quantiles" in spread else None,
    }
