"""Evaluations made elsewhere, over the API: send, list, take back."""

from __future__ import annotations

import io
import json
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import BoundedJSONParser
from hub.api.views import RepositoryView, body_of
from hub.errors import NotFoundError, TooLargeError
from hub.models import Access
from hub.policies import Actor
from training.actions.reporting import (
    BODY_LIMIT_BYTES,
    remove_report,
    report_evaluation,
    visible_reports,
)
from training.jobs.disclosure import readable_benchmarks, told_score
from training.models import Evaluation
from training.specs.lm_eval_results import RESULTS_LIMIT_BYTES

REPORTS_SHOWN = 100


class ReportFieldsSerializer(serializers.Serializer[Any]):
    """What is said beside the files: the benchmark as namespace/name:path.yaml, the revision of
    the model (its default branch without one), and the task where the results hold several."""

    benchmark = serializers.CharField(max_length=1500)
    revision = serializers.CharField(required=False, default="", max_length=250, allow_blank=True)
    task = serializers.CharField(required=False, default="", max_length=300, allow_blank=True)


class ReportFilesSerializer(ReportFieldsSerializer):
    """The results_*.json of lm_eval, and the samples_*.jsonl of --log_samples, if any."""

    results = serializers.FileField()
    samples = serializers.FileField(required=False)


class ReportBodySerializer(ReportFieldsSerializer):
    """The same as JSON, for small ones: the object of the file, and the samples as a list."""

    results = serializers.DictField()
    samples = serializers.ListField(child=serializers.DictField(), required=False)


class ReportShape(serializers.Serializer[Any]):
    """`paired`: the metrics that item results came with. `asked`: whether the items were asked as
    the benchmark asks (alike, otherwise, unknown)."""

    id = serializers.IntegerField()
    benchmark = serializers.CharField()
    benchmarkDigest = serializers.CharField()
    revision = serializers.CharField()
    modelDigest = serializers.CharField()
    origin = serializers.ChoiceField(choices=("reported",))
    score = serializers.FloatField(allow_null=True)
    scores = serializers.DictField()
    items = serializers.IntegerField()
    ofItems = serializers.IntegerField()
    paired = serializers.ListField(child=serializers.CharField())
    asked = serializers.CharField()
    source = serializers.DictField(child=serializers.JSONField())  # type: ignore[assignment]
    reportedBy = serializers.CharField(allow_null=True)
    reportedAt = serializers.CharField()


class ReportsShape(serializers.Serializer[Any]):
    reports = ReportShape(many=True)


class ReportListView(RepositoryView):
    """GET, POST /api/{kind}s/{namespace}/{name}/evaluations/reports"""

    parser_classes = [MultiPartParser, BoundedJSONParser]
    need_to_write = Access.WRITE

    @extend_schema(summary=_("Self-reported evaluations"), responses=ReportsShape)
    def get(self, request: Request, **path: Any) -> Response:
        """What has been reported for this model, the newest first."""
        rows = visible_reports(self.actor, self.repository)[:REPORTS_SHOWN]
        return Response({"reports": [report_shape(row, self.actor) for row in rows]})

    @extend_schema(
        summary=_("Report an evaluation made elsewhere"),
        request={
            "multipart/form-data": ReportFilesSerializer,
            "application/json": ReportBodySerializer,
        },
        responses={201: ReportShape},
    )
    def post(self, request: Request, **path: Any) -> Response:
        """Keep what lm-evaluation-harness wrote about this model, marked as self-reported.

        With samples, every item of the benchmark is paired by the hash of its row, or all is
        refused with the reason.
        """
        announced = request.META.get("CONTENT_LENGTH") or "0"
        if announced.isdecimal() and int(announced) > BODY_LIMIT_BYTES:
            raise TooLargeError(
                f"A report is sent in one body of {BODY_LIMIT_BYTES} bytes at most."
            )
        is_json = (request.content_type or "").startswith("application/json")
        given = self._body(request) if is_json else self._files(request)
        row = report_evaluation(self.repository, self.actor, **given)
        return Response(report_shape(row, self.actor), status=201)

    def _files(self, request: Request) -> dict[str, Any]:
        form = ReportFilesSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        values = dict(form.validated_data)
        if values["results"].size > RESULTS_LIMIT_BYTES:
            raise TooLargeError(f"The results file exceeds {RESULTS_LIMIT_BYTES} bytes.")
        return values | {"results": values["results"].read(), "samples": values.get("samples")}

    def _body(self, request: Request) -> dict[str, Any]:
        form = ReportBodySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        values = dict(form.validated_data)
        # As they came: a serializer would turn numbers into texts.
        sent = body_of(request)
        samples = sent.get("samples")
        lines = None if samples is None else "".join(json.dumps(row) + "\n" for row in samples)
        values["samples"] = None if lines is None else io.BytesIO(lines.encode())
        return values | {"results": json.dumps(sent["results"]).encode()}


class ReportView(RepositoryView):
    """DELETE /api/{kind}s/{namespace}/{name}/evaluations/reports/{number}"""

    parser_classes = [BoundedJSONParser]
    need_to_write = Access.WRITE

    @extend_schema(summary=_("One self-reported evaluation"), responses=ReportShape)
    def get(self, request: Request, number: int, **path: Any) -> Response:
        found = visible_reports(self.actor, self.repository).filter(pk=number).first()
        if found is None:
            raise NotFoundError("There is no such report here.")
        return Response(report_shape(found, self.actor))

    @extend_schema(summary=_("Take back a report"), request=None, responses={204: None})
    def delete(self, request: Request, number: int, **path: Any) -> Response:
        remove_report(self.repository, self.actor, number)
        return Response(status=204)


def report_shape(row: Evaluation, actor: Actor) -> dict[str, Any]:
    """A report as the API tells it to `actor`."""
    within = row.repository_id
    may_read = row.benchmark_id in readable_benchmarks(actor, [row.benchmark], within=within)
    scores = {name: told_score(row, name, may_read=may_read) for name in row.scores}
    source = dict(row.source)
    paired, asked = source.pop("paired_metrics", []), source.pop("asked", "unknown")
    return {
        "id": row.pk,
        "benchmark": row.benchmark.reference,
        "benchmarkDigest": row.benchmark_digest,
        "revision": row.revision,
        "modelDigest": row.model_digest,
        "origin": row.origin,
        "score": (scores.get(row.benchmark.metric) or {}).get("value"),
        "scores": scores,
        "items": row.item_count,
        "ofItems": row.benchmark.item_count,
        "paired": paired,
        "asked": asked,
        "source": source,
        "reportedBy": row.reported_by.username if row.reported_by else None,
        "reportedAt": row.updated_at,
    }
