"""Where a search for a bad commit says what it found: run, commit, activity, pull request."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction

from hub import events
from hub.extensions import registries
from hub.jobs.working import ClaimLostError
from hub.models import CommitStatus, Event, StatusState
from training.jobs.disclosure import hidden_now, without_numbers
from training.jobs.finishing import finish
from training.models import Run, RunStatus

CONTEXT_LIMIT, DESCRIPTION_LIMIT = 64, 300
MINUS = "\N{MINUS SIGN}"


@transaction.atomic
def settle(run: Run, result: dict[str, Any]) -> None:
    """End the run and name the culprit on its commit, in the activity and on its pull request: all
    of it once, or nothing. Raises: ClaimLostError.
    """
    if not Run.objects.held(run).select_for_update().exists():
        raise ClaimLostError
    if not result["hidden"] and hidden_now({result["benchmark"]}, within=run.repository_id):
        result = without_numbers(result)
    said = sentence_of(result)
    finish(run, RunStatus.SUCCEEDED, result=result | {"sentence": said})
    if not result["found"]:
        return
    culprit = result["culprit"]
    _set_status(run, culprit["oid"], f"bisect/{result['label']}", said)
    Event.objects.create(
        repository=run.repository,
        actor=run.created_by,
        kind="bisect.found",
        path=run.get_absolute_url(),
        data={"number": run.number, "oid": culprit["oid"], "benchmark": result["label"]},
    )
    if culprit["pull_request"] is not None:
        comment = comment_of(run, result)
        registries.commenter(run.repository, culprit["pull_request"], run.created_by, comment)


def _set_status(run: Run, oid: str, context: str, description: str) -> None:
    status, _created = CommitStatus.objects.update_or_create(
        repository=run.repository,
        oid=oid,
        base_oid="",
        context=context[:CONTEXT_LIMIT],
        defaults={
            "state": StatusState.FAILURE,
            "description": description[:DESCRIPTION_LIMIT],
            "target_path": run.get_absolute_url(),
        },
    )
    told = {"repository": run.repository, "status": status}
    transaction.on_commit(partial(events.status_changed.send_robust, CommitStatus, **told))


def sentence_of(result: dict[str, Any], name: str = "") -> str:
    """What was found, in one English sentence for statuses and clients."""
    name, ends = name or result["label"], result["ends"]
    if not ends["comparable"]:
        return f"Not shown: {name} cannot be compared ({ends['reason']})."
    if not result["found"]:
        return (
            f"Not shown: {name} is not shown to be worse at the later version, so there is nothing "
            "to bisect."
        )
    oid, others = result["culprit"]["oid"][:7], len(result["suspects"]) - 1
    change = _change(result)
    if others:
        return (
            f"{name} {change} with {oid} or one of the {others} versions before it, "
            "which could not be measured."
        )
    return f"{name} {change} {'' if result['clear'] else 'probably '}with {oid}."


def _change(result: dict[str, Any]) -> str:
    """How far it fell; of a hidden benchmark, that it did."""
    if result["hidden"]:
        return "got worse"
    ends, unit = result["ends"], result["unit"]
    return f"went from {_value(ends['good'], unit)} to {_value(ends['bad'], unit)}"


def comment_of(run: Run, result: dict[str, Any]) -> str:
    """The comment on the pull request whose merge is the culprit."""
    # The label is somebody's words: nothing in it may act as Markdown.
    name = "`" + result["label"].replace("`", "'") + "`"
    measured = f"Of {result['versions']} versions {result['new']} had to be measured."
    numbers = "" if result["hidden"] else f"{_interval(result)} "
    return "\n\n".join(
        [
            f"**Bisect** · {sentence_of(result, name)}",
            f"{numbers}{measured}",
            f"[Run {run.number}]({run.get_absolute_url()})",
        ]
    )


def _interval(result: dict[str, Any]) -> str:
    """The change with its bounds, and what it was seen on."""
    ends = result["ends"]
    delta, lower, upper = (_moved(ends[key], result["unit"]) for key in ("delta", "lower", "upper"))
    points = " points" if result["unit"] == "share" else ""
    return (
        f"{result['metric_label']} changed by {delta}{points} ({lower} to {upper}, one-sided at "
        f"α = {ends['alpha']:g}), paired on {ends['n']} items."
    )


def _value(value: float, unit: str) -> str:
    """A score in its unit; shares as per cents."""
    return f"{100 * value:.1f} %" if unit == "share" else f"{value:.4g}"


def _moved(value: float, unit: str) -> str:
    """A change with its sign; of shares in points."""
    said = f"{100 * value:+.1f}" if unit == "share" else f"{value:+.4g}"
    return said.replace("-", MINUS)
