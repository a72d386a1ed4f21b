"""Bodies of the runs API, in and out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from training.jobs.disclosure import shown_result
from training.models import Run, RunKind, RunStatus


class FinetuneSerializer(serializers.Serializer[Any]):
    """What a fine-tune is asked with: one of `recipe_path` and `recipe`."""

    recipe_path = serializers.CharField(required=False, default="", max_length=1024)
    recipe = serializers.DictField(required=False, default=None, allow_null=True)
    revision = serializers.CharField(required=False, default="", max_length=250, allow_blank=True)
    title = serializers.CharField(required=False, default="", max_length=256, allow_blank=True)


class GateSerializer(serializers.Serializer[Any]):
    """`head`: the commit that the caller has looked at; another one is refused."""

    head = serializers.CharField(required=False, default="", max_length=40, allow_blank=True)


class RunAuthorShape(serializers.Serializer[Any]):
    name = serializers.CharField()


class RunShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=RunKind.choices)
    status = serializers.ChoiceField(choices=RunStatus.choices)
    title = serializers.CharField()
    specDigest = serializers.CharField()
    pullRequest = serializers.IntegerField(allow_null=True)
    author = RunAuthorShape()
    createdAt = serializers.CharField()
    startedAt = serializers.CharField(allow_null=True)
    finishedAt = serializers.CharField(allow_null=True)
    attempt = serializers.IntegerField()
    progress = serializers.JSONField()
    error = serializers.CharField(allow_null=True)
    url = serializers.CharField()
    note = serializers.CharField(required=False, help_text="What is to be said beside it.")


class AttemptShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    worker = serializers.CharField()
    outcome = serializers.CharField()
    resumedFromStep = serializers.IntegerField(allow_null=True)
    startedAt = serializers.CharField()
    endedAt = serializers.CharField(allow_null=True)


class WholeRunShape(RunShape):
    spec = serializers.DictField()
    result = serializers.JSONField()
    cpuSeconds = serializers.FloatField(allow_null=True)
    peakMemoryBytes = serializers.IntegerField(allow_null=True)
    attempts = AttemptShape(many=True)


class RunsShape(serializers.Serializer[Any]):
    runs = RunShape(many=True)


class CurveShape(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    name = serializers.CharField()
    points = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()))


class CurvesShape(serializers.Serializer[Any]):
    series = CurveShape(many=True)
    live = serializers.BooleanField()


def run_shape(run: Run, *, spec: dict[str, Any] | None = None) -> dict[str, Any]:
    """A run as the API tells it; with `spec`, as its reader may see it, all that there is."""
    shape: dict[str, Any] = {
        "number": run.number,
        "kind": run.kind,
        "status": run.status,
        "title": run.title,
        "specDigest": run.spec_digest,
        "pullRequest": run.pull_request_number,
        "author": {"name": run.created_by.username},
        "createdAt": run.created_at,
        "startedAt": run.started_at,
        "finishedAt": run.finished_at,
        "attempt": run.attempt,
        "progress": run.progress,
        "error": run.error or None,
        "url": run.get_absolute_url(),
    }
    if spec is not None:
        shape |= {
            "spec": spec,
            "result": shown_result(run),
            "cpuSeconds": run.cpu_seconds,
            "peakMemoryBytes": run.peak_memory_bytes,
            "attempts": [
                {
                    "number": attempt.number,
                    "worker": attempt.worker,
                    "outcome": attempt.outcome or "running",
                    "resumedFromStep": attempt.resumed_from_step,
                    "startedAt": attempt.started_at,
                    "endedAt": attempt.ended_at,
                }
                for attempt in run.attempts.all()
            ],
        }
    return shape
