"""The numbers of a model's card on its first page: which of them were measured here, and when."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hub.extensions import Panel
from hub.models import Kind, Repository
from training.actions.card_numbers import CardNumber, NumberState, card_numbers

STATES = {
    NumberState.VERIFIED: "pass",
    NumberState.EARLIER: "stale",
    NumberState.DIFFERS: "fail",
    NumberState.REPORTED: "plain",
}


def reported(repository: Repository, request: HttpRequest) -> dict[str, Any]:
    """Every number of the `model-index` of the card shown; nothing where it has none."""
    if repository.kind != Kind.MODEL:
        return {}
    revision = request.GET.get("revision", "")
    numbers = card_numbers(repository, repository.store().resolve(revision) if revision else "")
    if not numbers:
        return {}
    verified = sum(number.state is NumberState.VERIFIED for number in numbers)
    told = ngettext(
        "%(verified)d of %(count)d number was measured here, on this very version",
        "%(verified)d of %(count)d numbers were measured here, on this very version",
        len(numbers),
    )
    return {
        "note": told % {"verified": verified, "count": len(numbers)},
        "rows": [_row(repository, number) for number in numbers],
    }


def _row(repository: Repository, number: CardNumber) -> dict[str, Any]:
    result, measured = number.result, number.measured
    run = measured.run_number if measured else None
    is_number = isinstance(result.metric_value, int | float) and not isinstance(
        result.metric_value, bool
    )
    return {
        "label": result.dataset_name,
        "dataset": result.dataset_type,
        "metric": result.metric_name or result.metric_type,
        "value": result.metric_value if is_number else None,
        "text": "" if is_number else str(result.metric_value)[:40],
        "lower": measured.lower if measured and number.state is NumberState.VERIFIED else None,
        "upper": measured.upper if measured and number.state is NumberState.VERIFIED else None,
        "status": STATES[number.state],
        "word": _word(number),
        "detail": _detail(number),
        "url": f"{repository.get_absolute_url()}/runs/{run}" if run else "",
        "run": run,
    }


def _word(number: CardNumber) -> str:
    words = {
        NumberState.VERIFIED: _("verified"),
        NumberState.EARLIER: _("earlier version"),
        NumberState.DIFFERS: _("differs"),
        NumberState.REPORTED: _("self-reported"),
    }
    return words[number.state]


def _detail(number: CardNumber) -> str:
    measured = number.measured
    if number.state is NumberState.VERIFIED and measured is not None:
        if measured.n is None:
            return _("measured on this version")
        return ngettext(
            "measured on this version, %(count)d item",
            "measured on this version, %(count)d items",
            measured.n,
        ) % {"count": measured.n}
    if number.state is NumberState.EARLIER:
        return _("measured here before the model changed")
    if number.state is NumberState.DIFFERS and measured is not None:
        return _("measured on this version: %(value)s") % {"value": f"{measured.value:.4g}"}
    if number.claims_ours:
        return _("says it was measured here, but no such result is stored")
    return _("not measured here")


CARD_PANEL = Panel("training/card_panel.html", reported)
