"""What a reader may see of a run's spec."""

from __future__ import annotations

from typing import Any

from hub.policies import Actor
from training.models import Run
from training.policies import readable_repositories

_ALWAYS = ("key", "label", "metric", "digest")


def shown_spec(run: Run, actor: Actor) -> dict[str, Any]:
    """The spec without what lies in repositories that `actor` may not read (threat M5).

    A hidden input keeps its role, a hidden benchmark its name, margin and digest.
    """
    inputs = run.spec.get("inputs", [])
    seen = readable_repositories(actor, {given["repository_id"] for given in inputs})
    seen.add(run.repository_id)  # whoever sees the run sees its repository
    definitions = [given["repository_id"] for given in inputs if given["role"] == "benchmark"]
    benchmarks = run.spec.get("benchmarks", [])
    shown: dict[str, Any] = {
        "inputs": [g if g["repository_id"] in seen else {"role": g["role"]} for g in inputs],
        "benchmarks": [
            benchmark
            if {place, benchmark["items_repository_id"]} <= seen
            else {key: benchmark[key] for key in _ALWAYS}
            for place, benchmark in zip(definitions, benchmarks, strict=True)
        ],
    }
    blind = run.spec.get("blind")
    if blind is not None and not {blind["repository_id"], blind["items_repository_id"]} <= seen:
        shown["blind"] = {key: blind[key] for key in _ALWAYS}
    return run.spec | {key: value for key, value in shown.items() if key in run.spec}


def input_files(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Every file that a spec names, each with the repository and commit it is from."""
    return [
        {**file, "source": given["source"], "commit": given["commit"]}
        for given in spec.get("inputs", [])
        for file in given.get("files", [])
    ]
