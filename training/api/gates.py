"""The gate of one pull request: read its verdict, start it, let through what it left undecided."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from hub.models import Repository
from hub.policies import Actor
from training.actions.disclosure import disclose
from training.actions.examples import Query, find_examples
from training.actions.gates import start_gate
from training.actions.notes import talk_of
from training.actions.overriding import override_gate
from training.actions.standing import progress_of, records_of
from training.api.serializers import GateSerializer, RunShape, run_shape
from training.api.verdict_shapes import (
    OverrideSerializer,
    VerdictShape,
    attempts_shape,
    contamination_shape,
    example_shape,
    override_shape,
    result_shape,
)
from training.jobs.sentences import sentence_of
from training.models import GateRecord, Run, RunKind, RunStatus

FLIPPED_SHOWN = 20


class GateView(RepositoryView):
    """GET, POST /api/{kind}s/{namespace}/{name}/discussions/{number}/gate"""

    parser_classes = [AnyJSONParser]

    @extend_schema(summary=_("The gate's verdict"), responses=VerdictShape)
    def get(self, request: Request, number: int, **path: Any) -> Response:
        """The newest verdict with its numbers and flipped items, or how far the gate is."""
        return Response(gate_shape(self.repository, number, self.actor))

    @extend_schema(
        summary=_("Weigh a pull request"),
        request=GateSerializer,
        responses={200: RunShape, 201: RunShape},
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        """Weigh the pull request as it is now; 200 with the run that has decided exactly this."""
        form = GateSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        head = form.validated_data["head"]
        run = start_gate(self.repository, number, self.actor, expected_head=head)
        if run.is_live:
            return Response(run_shape(run), status=201)
        told = _("Exactly this version has been weighed: its verdict stands.")
        return Response(run_shape(run) | {"note": told})


class GateOverrideView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/discussions/{number}/gate/override"""

    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("Let an inconclusive change through"),
        request=OverrideSerializer,
        responses=VerdictShape,
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        """For administrators other than the author; the reason stays in the record."""
        form = OverrideSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        override_gate(
            self.repository,
            number,
            self.actor,
            reason=given["reason"],
            expected_head=given["head"],
            expected_base=given["base"],
        )
        return Response(gate_shape(self.repository, number, self.actor))


def gate_shape(repository: Repository, number: int, actor: Actor) -> dict[str, Any]:
    """`verdict` is pass, fail, blocked, error, running or not-run: absence is never 0."""
    runs = Run.objects.filter(
        repository=repository, pull_request_number=number, kind=RunKind.COMPARE
    )
    run = runs.defer("spec").order_by("-number").first()
    if run is not None and run.is_live:
        return {"verdict": "running", "run": run.number, "progress": progress_of(run)}
    record = records_of(repository, number).first()
    if run is not None and run.status == RunStatus.FAILED and not _outlives(record, run):
        return {"verdict": "error", "run": run.number, "sentence": run.error}
    if record is None:
        return {"verdict": "not-run"}
    record.repository = repository
    told = disclose(record, actor)
    talk = talk_of(repository, number, told)
    found = find_examples(repository, record, actor, Query(), count=FLIPPED_SHOWN, told=told)
    facts = getattr(record, "gate_facts", None) or {}
    return {
        "verdict": record.verdict,
        "run": record.run.number,
        "attempt": record.attempt,
        "head": record.head_oid,
        "base": record.base_oid,
        "mergeTree": record.merge_tree,
        "ruleDigest": record.config_digest,
        "sentence": sentence_of(record.verdict, record.results, record.sentence),
        "alpha": facts.get("alpha"),
        "strict": bool(facts.get("strict")),
        "results": [result_shape(result) for result in told.results],
        "looks": told.looks,
        "contamination": contamination_shape(told),
        "pins": told.pins,
        "unseenPins": told.unseen_pins,
        "attempts": attempts_shape(record),
        "override": override_shape(record),
        "hidden": told.hidden,
        "flipped": [example_shape(each, talk.on(each.key, each.item)) for each in found.examples],
    }


def _outlives(record: GateRecord | None, run: Run) -> bool:
    """Whether a verdict stands although `run`, which came later, failed: on the same version."""
    if record is None:
        return False
    change = Run.objects.values_list("spec__change", flat=True).get(pk=run.pk)
    return all(change.get(key) == getattr(record, key) for key in ("head_oid", "base_oid"))
