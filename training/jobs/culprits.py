"""Where a search for a bad commit says what it found: run, commit, activity, pull request."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction

from hub import events
from hub.extensions import registries
from hub.models import CommitStatus, Event, StatusState
from training.jobs.errors import LeaseLostError
from training.jobs.finishing import finish
from training.models import Run, RunStatus

CONTEXT_LIMIT, DESCRIPTION_LIMIT = 64, 300


@transaction.atomic
def settle(run: Run, result: dict[str, Any]) -> None:
    """End the run and name the culprit on its commit, in the activity and on its pull request: all
    of it once, or nothing. Raises: LeaseLostError.
    """
    if not Run.objects.held(run.pk, run.fence).select_for_update().exists():
        raise LeaseLostError
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
        path=f"{run.repository.get_absolute_url()}/commit/{culprit['oid']}",
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
    name, ends, unit = name or result["label"], result["ends"], result["unit"]
    if ends["good"] is None:
        return f"Not shown: {name} cannot be compared ({ends['reason']})."
    if not result["found"]:
        return (
            f"Not shown: {name} is not shown to be worse at the later version, so there is nothing "
            "to bisect."
        )
    change = f"{_value(ends['good'], unit)} to {_value(ends['bad'], unit)}"
    oid, others = result["culprit"]["oid"][:7], len(result["suspects"]) - 1
    if others:
        return (
            f"{name} went from {change} with {oid} or one of the {others} versions before it, "
            "which could not be measured."
        )
    return f"{name} went from {change} {'' if result['clear'] else 'probably '}with {oid}."


def comment_of(run: Run, result: dict[str, Any]) -> str:
    """The comment on the pull request whose merge is the culprit."""
    ends, unit = result["ends"], result["unit"]
    # The label is somebody's words: nothing in it may act as Markdown.
    name = "`" + result["label"].replace("`", "'") + "`"
    bounds = " to ".join(_value(ends[side], unit, sign="+") for side in ("lower", "upper"))
    return "\n\n".join(
        [
            f"**Bisect** · {sentence_of(result, name)}",
            f"{result['metric_label']} changed by {_value(ends['delta'], unit, sign='+')} "
            f"({bounds}, one-sided at α = {ends['alpha']:g}), paired on {ends['n']} items. Of "
            f"{result['versions']} versions {result['new']} had to be measured.",
            f"[Run {run.number}]({run.get_absolute_url()})",
        ]
    )


def _value(value: float, unit: str, *, sign: str = "") -> str:
    """A score or change in its unit; shares as per cents."""
    return f"{100 * value:{sign}.1f} %" if unit == "share" else f"{value:{sign}.4g}"
