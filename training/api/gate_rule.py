"""The rule of a branch over the API: read it, work out what it can show, set it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from hub.errors import BadInputError
from hub.models import Access, Repository
from hub.policies import require_files
from training.actions.gate_editor import read_rule, save_rule
from training.actions.gate_power import BenchmarkPower, RulePower, power_of
from training.specs.gate import GateConfig, parse_gate, read_gate
from training.specs.gate_text import write_gate

BRANCH = OpenApiParameter("branch", str, description="The default branch without it.")


class RuleSerializer(serializers.Serializer[Any]):
    """One of `text`, the file as it shall be, and `rule`, the same as values."""

    branch = serializers.CharField(required=False, default="", max_length=250, allow_blank=True)
    text = serializers.CharField(
        required=False, default="", max_length=65_536, allow_blank=True, trim_whitespace=False
    )
    rule = serializers.DictField(required=False, default=None, allow_null=True)


class SaveSerializer(RuleSerializer):
    """`parentCommit`: the commit that was looked at; another rule since then is a conflict."""

    parentCommit = serializers.RegexField(r"^[0-9a-f]{40}$", required=False, default="")
    title = serializers.CharField(required=False, default="", max_length=200, allow_blank=True)
    createPr = serializers.BooleanField(required=False, default=False)


class RuleShape(serializers.Serializer[Any]):
    """`rule` and `text` are null where the branch has no rule, `problem` where it can be read."""

    branch = serializers.CharField()
    head = serializers.CharField()
    isProtected = serializers.BooleanField()
    text = serializers.CharField(allow_null=True, allow_blank=True)
    rule = serializers.DictField(allow_null=True)
    problem = serializers.CharField(allow_null=True)


class SavedShape(serializers.Serializer[Any]):
    commitOid = serializers.CharField()
    pullRequestUrl = serializers.CharField(allow_null=True)


class ObservedShape(serializers.Serializer[Any]):
    pullRequest = serializers.IntegerField()
    n = serializers.IntegerField()
    discordance = serializers.FloatField(allow_null=True)
    spread = serializers.FloatField(allow_null=True)


class BenchmarkPowerShape(serializers.Serializer[Any]):
    """Margins in score units; null where the difference to expect, or a score, is not known."""

    benchmark = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    metric = serializers.CharField(allow_null=True)
    unit = serializers.CharField(allow_null=True)
    items = serializers.IntegerField(allow_null=True)
    n = serializers.IntegerField(allow_null=True)
    margin = serializers.FloatField(allow_null=True)
    provableMargin = serializers.FloatField(allow_null=True)
    itemsNeeded = serializers.IntegerField(allow_null=True)
    chance = serializers.FloatField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    observed = ObservedShape(allow_null=True)
    problem = serializers.CharField(allow_null=True)


class PowerShape(serializers.Serializer[Any]):
    alpha = serializers.FloatField()
    power = serializers.FloatField()
    looks = serializers.ListField(child=serializers.FloatField())
    chance = serializers.FloatField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    benchmarks = BenchmarkPowerShape(many=True)


class GateRuleView(RepositoryView):
    """GET, PUT /api/{kind}s/{namespace}/{name}/gate-rule"""

    need_to_write = Access.WRITE
    parser_classes = [AnyJSONParser]

    @extend_schema(summary=_("The gate's rule"), parameters=[BRANCH], responses=RuleShape)
    def get(self, request: Request, **path: Any) -> Response:
        """What every merge into the branch must show, as values and as it is written."""
        require_files(self.actor, self.repository)
        branch = _branch(self.repository, request.query_params.get("branch", ""))
        rule = read_rule(self.repository, branch)
        return Response(
            {
                "branch": rule.branch,
                "head": rule.head_oid,
                "isProtected": rule.is_protected,
                "text": rule.text,
                "rule": rule.config.to_dict() if rule.config else None,
                "problem": rule.problem or None,
            }
        )

    @extend_schema(summary=_("Set the gate's rule"), request=SaveSerializer, responses=SavedShape)
    def put(self, request: Request, **path: Any) -> Response:
        """Commit the rule, alone; to a protected branch it is proposed."""
        form = SaveSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        told = form.validated_data
        made = save_rule(
            self.repository,
            self.actor,
            branch=_branch(self.repository, told["branch"]),
            text=_text(told),
            expected_head=told["parentCommit"],
            title=told["title"],
            propose=told["createPr"],
        )
        proposal = made.proposal
        url = f"{settings.PUBLIC_URL}{proposal.path}" if proposal else None
        return Response({"commitOid": made.oid, "pullRequestUrl": url})


class GatePowerView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/gate-rule/power"""

    need = Access.WRITE
    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("What a rule can show"), request=RuleSerializer, responses={200: PowerShape}
    )
    def post(self, request: Request, **path: Any) -> Response:
        """The smallest margin that the items prove, the items that a margin needs, the chances."""
        form = RuleSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        told = form.validated_data
        rule = read_rule(self.repository, _branch(self.repository, told["branch"]))
        given = told["text"] or told["rule"] is not None
        config = _config(told) if given else rule.config
        if config is None:
            raise BadInputError(rule.problem or f"{rule.branch} has no rule: send one.")
        power = power_of(self.repository, config, self.actor, is_protected=rule.is_protected)
        return Response(power_shape(power))


def _branch(repository: Repository, name: str) -> str:
    return name.strip() or repository.default_branch


def _config(told: dict[str, Any]) -> GateConfig:
    if told["text"] and told["rule"] is not None:
        raise BadInputError("Send text or rule, not both.")
    if told["rule"] is not None:
        return read_gate(told["rule"], place="rule")
    return parse_gate(told["text"], place="text")


def _text(told: dict[str, Any]) -> str:
    """The file: as it was sent, or written from values."""
    config = _config(told)
    return str(told["text"]) if told["rule"] is None else write_gate(config)


def power_shape(power: RulePower) -> dict[str, Any]:
    return {
        "alpha": power.alpha,
        "power": power.config.power,
        "looks": list(power.shares),
        "chance": power.chance,
        "seconds": power.seconds,
        "benchmarks": [_benchmark(each) for each in power.benchmarks],
    }


def _benchmark(found: BenchmarkPower) -> dict[str, Any]:
    pinned, seen = found.pinned, found.observed
    has_metric = pinned is not None and bool(pinned.definition.metrics)
    return {
        "benchmark": str(found.wanted.reference),
        "label": found.label,
        "metric": pinned.metric if pinned and has_metric else None,
        "unit": found.unit if has_metric else None,
        "items": found.items,
        "n": found.n,
        "margin": found.margin,
        "provableMargin": found.provable,
        "itemsNeeded": found.needed,
        "chance": found.chance,
        "seconds": found.seconds,
        "observed": None
        if seen is None
        else {
            "pullRequest": seen.pull_request_number,
            "n": seen.n,
            "discordance": seen.discordance,
            "spread": seen.spread,
        },
        "problem": found.problem or None,
    }
