"""What a run came to, or stands at, by its kind: rows for its page."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.utils.translation import gettext as _

from hub.templatetags.hub_format import signed
from training.jobs.disclosure import shown_result
from training.models import Benchmark, Run, RunKind
from training.web.quick import benchmarks_of_look
from training.web.scores import interval_text, metric_word
from training.web.units import scale_of

Row = dict[str, Any]
# More versions than these that nobody looked at become one line.
FOLDED_FROM = 2


def results_of(run: Run) -> dict[str, Any]:
    """The parts of the page that belong to a kind of run."""
    if run.kind == RunKind.EVALUATE:
        return {"measured": _measured(run)}
    if run.kind == RunKind.QUICK:
        return {"quick": benchmarks_of_look(run)}
    if run.kind == RunKind.BISECT:
        return {"search": _search(run)}
    if run.kind == RunKind.COMPARE and run.is_live:
        return {"looks": _looks(run)}
    return {}


def _measured(run: Run) -> list[Row]:
    """The scores of an evaluation: every metric of every benchmark."""
    told = shown_result(run).get("evaluations", [])
    rows = Benchmark.objects.defer("spec").in_bulk([each["benchmark"] for each in told])
    found = []
    for each in told:
        benchmark = rows.get(each["benchmark"])
        metrics = [] if benchmark is None or each.get("hidden") else benchmark.metrics
        found.append(
            {
                "label": each["label"],
                "url": f"{run.repository.get_absolute_url()}/evaluations/{each['evaluation']}",
                "n": each["n"],
                "hidden": each.get("hidden", False),
                "scores": [_score(metric, each["scores"]) for metric in metrics],
            }
        )
    return found


def _score(metric: dict[str, Any], scores: dict[str, Any]) -> Row:
    scale, told = scale_of(metric.get("unit")), scores.get(metric["name"]) or {}
    return {
        "metric": metric_word(metric),
        "score_text": scale.score(told.get("value")),
        "interval_text": interval_text(scale, told.get("lower"), told.get("upper")),
    }


def _search(run: Run) -> dict[str, Any]:
    """The versions of a search with what is known of each, the newest first, and the answer."""
    versions = run.spec.get("versions_between", [])
    stand = run.progress.get("search") or {}
    result = shown_result(run)
    told = {step["oid"]: step for step in result.get("steps") or stand.get("steps") or []}
    scale = scale_of(result.get("unit") or stand.get("unit"))
    left_out = set(result.get("left_out", {}))
    left_out |= {versions[int(p)]["oid"] for p in run.progress.get("left_out", {})}
    low, high = stand.get("low", 0), stand.get("high", len(versions) - 1)
    rows = []
    for place, version in enumerate(versions):
        step = told.get(version["oid"])
        rows.append(
            {
                "oid": version["oid"],
                "subject": version["subject"],
                "commit_url": f"{run.repository.get_absolute_url()}/commit/{version['oid']}",
                "state": _state(version["oid"], step, left_out),
                "is_next": run.is_live and place == stand.get("next"),
                "is_culprit": result.get("culprit", {}).get("oid") == version["oid"],
                "is_open": low < place < high and step is None,
                "score_text": scale.score(step.get("score")) if step else "",
                "interval_text": interval_text(scale, step["lower"], step["upper"]) if step else "",
                "clear": step is None or step["clear"],
                "new": bool(step and step["new"]),
                "url": _evaluation_url(run, step),
            }
        )
    return {
        "rows": _folded(rows[::-1]),
        "total": len(rows),
        "between": max(0, high - low - 1),
        "found": result.get("found"),
        "answer": _answer(run),
    }


def _folded(rows: list[Row]) -> list[Row]:
    """`rows` with those that nobody looked at folded into one, where several stand together."""
    found: list[Row] = []
    for is_unseen, together in groupby(rows, key=lambda row: _is_unseen(row)):
        some = list(together)
        if is_unseen and len(some) > FOLDED_FROM:
            ends = (some[-1]["oid"][:7], some[0]["oid"][:7])
            is_open = any(row["is_open"] for row in some)
            found.append({"folded": len(some), "ends": ends, "is_open": is_open})
        else:
            found += some
    return found


def _is_unseen(row: Row) -> bool:
    return row["state"] == "not-run" and not row["is_next"]


def _evaluation_url(run: Run, step: Row | None) -> str:
    if step is None:
        return ""
    return f"{run.repository.get_absolute_url()}/evaluations/{step['evaluation']}"


def _state(oid: str, step: Row | None, left_out: set[str]) -> str:
    """fine, broken, left out or not run: words of `status.html` with labels in the template."""
    if step is not None:
        return "fail" if step["broken"] else "pass"
    return "error" if oid in left_out else "not-run"


def _answer(run: Run) -> Row:
    """What the search found, in the reader's language."""
    result = shown_result(run)
    if not result:
        return {}
    ends, scale = result["ends"], scale_of(result.get("unit"))
    told = {
        "name": result["label"],
        "metric": result["metric_label"],
        "n": ends["n"],
        "alpha": f"{ends['alpha']:g}",
    }
    if not ends["comparable"]:
        return {"tone": "wait", "sentence": _("Not shown: %(name)s cannot be compared.") % told}
    if not result["found"]:
        said = _(
            "Not shown: %(name)s is not shown to be worse at the later version, so there is "
            "nothing to bisect."
        )
        return {"tone": "wait", "sentence": said % told}
    culprit = result["culprit"]
    answer = {"tone": "fail", "culprit": culprit, "others": len(result["suspects"]) - 1}
    answer["commit_url"] = f"{run.repository.get_absolute_url()}/commit/{culprit['oid']}"
    answer["clear"] = result["clear"]
    if result["hidden"]:
        answer["sentence"] = _("%(name)s got worse.") % told
        return answer
    told |= {
        "good": scale.score(ends["good"]),
        "bad": scale.score(ends["bad"]),
        "lower": signed(scale.shown(ends["lower"]), scale.digits(ends["delta"])),
        "upper": signed(scale.shown(ends["upper"]), scale.digits(ends["delta"])),
        "unit": scale.word,
    }
    answer["sentence"] = _("%(name)s went from %(good)s to %(bad)s.") % told
    answer["detail"] = (
        _(
            "%(metric)s, paired on %(n)s items: changed by %(lower)s to %(upper)s %(unit)s, "
            "one-sided at α = %(alpha)s"
        )
        % told
    )
    return answer


def _looks(run: Run) -> dict[str, Any]:
    """What the looks of a gate at work have said, benchmark by benchmark."""
    looks = run.progress.get("looks", [])
    names = {each["key"]: each["label"] for each in run.spec.get("benchmarks", [])}
    rows = []
    for key, label in names.items():
        said = [look["benchmarks"].get(key) for look in looks]
        last = next((each for each in reversed(said) if each), None)
        rows.append(
            {"label": label, "verdict": last["verdict"] if last else "not-run",
             "n": last.get("n") if last else None}
        )  # fmt: skip
    return {"rows": rows, "done": len(looks), "total": run.progress.get("look_count")}
