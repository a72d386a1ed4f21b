"""The Benchmarks tab of a pull request: what changed in behaviour, and how that was decided."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from hub.extensions import Change
from hub.http.authentication import actor_of
from hub.models import Repository
from hub.policies import Actor
from training.actions.disclosure import Disclosed, disclose, why_not_checked
from training.actions.standing import Standing, how_of, records_of, requirement_of, standing_of
from training.jobs.sentences import sentence_of
from training.models import GateRecord, GateVerdict
from training.policies import may_override
from training.statistics.contamination import ERROR_SHARE
from training.web.verdict_rows import (
    GROUPS_DRAWN,
    GROUPS_LISTED,
    benchmark_row,
    group_rows,
    look_rows,
)

ATTEMPTS_SHOWN = 20
PIN_ORDER = ("lost", "missing", "open", "gained", "kept")


def benchmarks(repository: Repository, change: Change, request: HttpRequest) -> dict[str, Any]:
    standing = standing_of(repository, change)
    record = standing.shown if standing else None
    context: dict[str, Any] = {"standing": standing, "record": record, "rows": []}
    if standing is None:
        return context
    context |= {"is_stale": standing.is_stale, "gate_line": requirement_of(standing)}
    if record is None:
        return context
    actor = actor_of(request)
    told = disclose(record, actor)
    keys, looks = told.keys, max((look.get("of", 1) for look in told.looks), default=1)
    return context | {
        "told": told,
        "rows": [
            benchmark_row(result, change.path, may_read=result["key"] in keys, looks=looks)
            for result in told.results
        ],
        "record_detail": how_of(record),
        "why_nothing": sentence_of(record.verdict, [], record.sentence) if not told.results else "",
        "groups": _groups(told, request.GET.get("groups", "")),
        "contamination": _contamination(told),
        "pins": sorted(told.pins, key=lambda pin: PIN_ORDER.index(pin["state"])),
        "looks": told.looks,
        "look_rows": look_rows(told.looks, told.results),
        "attempts": _attempts(repository, change, record),
        "override": _override(repository, change, standing, actor),
    }


def _groups(told: Disclosed, wanted: str) -> dict[str, Any]:
    """The fairness table of one benchmark, and which others have one."""
    found = {result["key"]: result for result in told.results if result.get("groups")}
    if not found:
        return {}
    worse = {key: sum(g["flagged"] for g in result["groups"]) for key, result in found.items()}
    key = wanted if wanted in found else max(found, key=lambda each: worse[each])
    rows = group_rows(found[key])
    return {
        "key": key,
        "name": found[key]["label_text"],
        "others": [
            (each, found[each]["label_text"], len(found[each]["groups"]), worse[each])
            for each in found
        ],
        "worse": worse[key],
        "drawn": rows[:GROUPS_DRAWN],
        "rest": rows[GROUPS_DRAWN : GROUPS_DRAWN + GROUPS_LISTED],
        "unlisted": max(0, len(rows) - GROUPS_DRAWN - GROUPS_LISTED),
    }


def _contamination(told: Disclosed) -> dict[str, Any]:
    """What was looked for in the declared training data, benchmark by benchmark."""
    facts, labels = told.contamination, {r["key"]: r["label_text"] for r in told.results}
    rows = []
    for key, found in facts.get("benchmarks", {}).items():
        share = found["share"] or 0.0
        is_unusable = share > ERROR_SHARE
        why_not = why_not_checked(told, key)
        level = "fail" if is_unusable else "wait" if found["is_warning"] or why_not else "pass"
        more = {"label": labels.get(key, key), "percent": 100 * share, "level": level}
        rows.append(found | more | {"why_not": why_not})
    return {
        "rows": rows,
        "facts": facts,
        "warnings": [row["label"] for row in rows if row["is_warning"] and row["level"] != "fail"],
        "undeclared": told.record.sentence.get("undeclared", False),
        "unreadable": told.unreadable_data,
        "unnamed": told.unnamed_data + facts.get("unnamed", 0),
        "was_looked_for": bool(facts),
    }


def _attempts(repository: Repository, change: Change, shown: GateRecord) -> dict[str, Any]:
    """Every weighing of this pull request: repeated tries are counted and shown."""
    fields = (
        "attempt", "verdict", "head_oid", "base_oid", "created_at", "overridden_at",
        "run__number", "gate_facts",
    )  # fmt: skip
    rows = list(records_of(repository, change.number).values(*fields)[:ATTEMPTS_SHOWN])
    for row in rows:
        row["level"] = (row["gate_facts"] or {}).get("alpha")
        row["url"] = f"{repository.get_absolute_url()}/runs/{row['run__number']}"
        row["is_shown"] = row["attempt"] == shown.attempt
        row["state"] = "overridden" if row["overridden_at"] else row["verdict"]
    facts = getattr(shown, "gate_facts", None) or {}
    return {
        "rows": rows,
        "count": rows[0]["attempt"] if rows else 0,
        "is_strict": facts.get("strict", False),
        "level": facts.get("alpha"),
    }


def _override(
    repository: Repository, change: Change, standing: Standing, actor: Actor
) -> dict[str, Any]:
    """Whether this verdict waits for somebody to let the change through, and whether you may."""
    record = standing.record
    if record is None or record.verdict != GateVerdict.BLOCKED:
        return {}
    return {
        "by": record.overridden_by.username if record.overridden_by else "",
        "reason": record.override_reason,
        "at": record.overridden_at,
        "is_open": not record.is_overridden and not standing.is_live,
        "may": may_override(actor, repository, change.author_id),
        "url": f"{change.path}/gate/override",
        "why_not": _(
            "An administrator of the repository who is not the author may let it through."
        ),
    }
