"""The gate of one pull request: read its verdict, start it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from hub.models import Repository
from hub.policies import Actor
from training.actions.examples import Query, find_examples
from training.actions.gates import start_gate
from training.actions.standing import progress_of
from training.api.serializers import GateSerializer, GateShape, RunShape, run_shape
from training.jobs.sentences import sentence_of
from training.models import GateRecord, Run, RunKind, RunStatus

FLIPPED_SHOWN = 20
RESULT_KEYS = (
    "benchmark", "role", "metric", "n", "base_score", "candidate_score", "delta", "lower", "upper",
    "margin", "alpha", "method", "gains", "losses", "verdict", "label",
)  # fmt: skip


class GateView(RepositoryView):
    """GET, POST /api/{kind}s/{namespace}/{name}/discussions/{number}/gate"""

    parser_classes = [AnyJSONParser]

    @extend_schema(summary=_("The gate's verdict"), responses=GateShape)
    def get(self, request: Request, number: int, **path: Any) -> Response:
        """The newest verdict with its numbers and flipped items, or how far the gate is."""
        return Response(gate_shape(self.repository, number, self.actor))

    @extend_schema(
        summary=_("Weigh a pull request"), request=GateSerializer, responses={201: RunShape}
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        """Weigh the pull request as it is now."""
        form = GateSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        head = form.validated_data["head"]
        run = start_gate(self.repository, number, self.actor, expected_head=head)
        return Response(run_shape(run), status=201)


def gate_shape(repository: Repository, number: int, actor: Actor) -> dict[str, Any]:
    """`verdict` is pass, fail, inconclusive, error, running or not-run: absence is never 0."""
    runs = Run.objects.filter(
        repository=repository, pull_request_number=number, kind=RunKind.COMPARE
    )
    run = runs.defer("spec").order_by("-number").first()
    if run is not None and run.is_live:
        return {"verdict": "running", "run": run.number, "progress": progress_of(run)}
    if run is not None and run.status == RunStatus.FAILED:
        return {"verdict": "error", "run": run.number, "sentence": run.error}
    record = GateRecord.objects.of(repository.pk, number).select_related("run").first()
    if record is None:
        return {"verdict": "not-run"}
    found = find_examples(repository, record, actor, Query(), count=FLIPPED_SHOWN)
    return {
        "verdict": record.verdict,
        "run": record.run.number,
        "attempt": record.attempt,
        "head": record.head_oid,
        "base": record.base_oid,
        "mergeTree": record.merge_tree,
        "ruleDigest": record.config_digest,
        "sentence": sentence_of(record.verdict, record.results, record.sentence),
        "results": [_result(result) for result in record.results],
        "flipped": [asdict(example) for example in found.examples],
    }


def _result(result: dict[str, Any]) -> dict[str, Any]:
    named = {"benchmark": result["label_text"]}
    return named | {key: result[key] for key in RESULT_KEYS[1:] if key in result}
