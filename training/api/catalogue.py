"""The catalogue of benchmarks over the API: list it, import from it, import a task file."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import HubView
from hub.models import Visibility
from training.actions.catalogue import catalogue, commit_benchmark, import_shipped, read_task
from training.catalogue.shelf import ShippedBenchmark, ShippedDataset
from training.specs.task_import import TaskImport

FILE_LIMIT = 64 * 1024


class ImportSerializer(serializers.Serializer[Any]):
    """Which data set of the catalogue, and where to: one's own namespace by default."""

    name = serializers.CharField(max_length=96)
    namespace = serializers.CharField(
        max_length=96, required=False, default="", allow_blank=True, allow_null=True
    )
    visibility = serializers.ChoiceField(
        choices=Visibility.choices, required=False, default=None, allow_null=True
    )


class ImportedShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    url = serializers.CharField()


class TaskSerializer(serializers.Serializer[Any]):
    """A task file of lm-evaluation-harness.

    `files`: what it includes, by name. `dataset`: the data set of this hub with its rows, in
    `data_file`. With `repository`, the benchmark is committed there, at `path`.
    """

    content = serializers.CharField(max_length=FILE_LIMIT, trim_whitespace=False)
    files = serializers.DictField(
        child=serializers.CharField(max_length=FILE_LIMIT, trim_whitespace=False, allow_blank=True),
        required=False,
        default=dict,
    )
    dataset = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    data_file = serializers.CharField(max_length=1024, required=False, default="", allow_blank=True)
    repository = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    path = serializers.CharField(max_length=1024, required=False, default="", allow_blank=True)


class TaskShape(serializers.Serializer[Any]):
    """`benchmark` is the file that it became, empty where `refusals` stand in its way."""

    imports = serializers.BooleanField()
    refusals = serializers.ListField(child=serializers.CharField())
    notes = serializers.ListField(child=serializers.CharField())
    benchmark = serializers.CharField(allow_blank=True)
    missingDataset = serializers.CharField(allow_null=True)
    rows = serializers.CharField(allow_null=True)
    commit = serializers.CharField(allow_null=True)
    url = serializers.CharField(allow_null=True)


class ShippedBenchmarkShape(serializers.Serializer[Any]):
    path = serializers.CharField()
    task = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    summaryZh = serializers.CharField()
    language = serializers.CharField(allow_null=True)
    outputType = serializers.CharField()
    metrics = serializers.ListField(child=serializers.CharField())
    direction = serializers.CharField()
    target = serializers.FloatField(allow_null=True)
    margin = serializers.JSONField()
    items = serializers.IntegerField()
    clusters = serializers.IntegerField(allow_null=True)
    digest = serializers.CharField()


class ShippedSuiteShape(serializers.Serializer[Any]):
    path = serializers.CharField()
    name = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    summaryZh = serializers.CharField()
    benchmarks = serializers.ListField(child=serializers.CharField())


class ShippedDatasetShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    aboutZh = serializers.CharField()
    licence = serializers.CharField()
    sizeBytes = serializers.IntegerField()
    benchmarks = ShippedBenchmarkShape(many=True)
    suites = ShippedSuiteShape(many=True)


class CatalogueShape(serializers.Serializer[Any]):
    datasets = ShippedDatasetShape(many=True)


class CatalogueView(HubView):
    """GET /api/benchmarks"""

    @extend_schema(summary=_("The catalogue of benchmarks"), responses=CatalogueShape)
    def get(self, request: Request) -> Response:
        """What comes with the hub, ready to be imported."""
        return Response({"datasets": [dataset_shape(each) for each in catalogue()]})


class CatalogueImportView(HubView):
    """POST /api/benchmarks/import"""

    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("Import benchmarks of the catalogue"),
        request=ImportSerializer,
        responses={201: ImportedShape},
    )
    def post(self, request: Request) -> Response:
        """Create the data set with its benchmarks; 409 with its `url` when it is there already."""
        form = ImportSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        made = import_shipped(
            self.actor,
            data["name"],
            namespace=data["namespace"] or "",
            visibility=data["visibility"],
        )
        return Response({"name": made.repo_id, "url": made.public_url()}, status=201)


class TaskImportView(HubView):
    """POST /api/benchmarks/tasks"""

    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("Import a task of lm-evaluation-harness"),
        request=TaskSerializer,
        responses={200: TaskShape, 201: TaskShape},
    )
    def post(self, request: Request) -> Response:
        """Say whether a task file imports, and as what; with `repository`, commit it there."""
        form = TaskSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        found = read_task(
            self.actor,
            data["content"],
            files=data["files"],
            dataset=data["dataset"],
            data_file=data["data_file"],
            beside=data["repository"],
        )
        if not data["repository"] or found.refusals:
            return Response(task_shape(found))
        made = commit_benchmark(
            self.actor, found.text, repository=data["repository"], path=data["path"]
        )
        branch = quote(made.repository.default_branch, safe="")
        url = f"{made.repository.public_url()}/blob/{branch}/{quote(made.path)}"
        return Response(task_shape(found) | {"commit": made.oid, "url": url}, status=201)


def task_shape(found: TaskImport) -> dict[str, Any]:
    return {
        "imports": not found.refusals,
        "refusals": [str(note) for note in found.refusals],
        "notes": [str(note) for note in found.notes],
        "benchmark": found.text,
        "missingDataset": found.dataset_path,
        "rows": found.file,
        "commit": None,
        "url": None,
    }


def dataset_shape(dataset: ShippedDataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "title": dataset.title,
        "about": dataset.about,
        "aboutZh": dataset.about_zh,
        "licence": dataset.licence,
        "sizeBytes": dataset.size_bytes,
        "benchmarks": [_benchmark(each) for each in dataset.benchmarks],
        "suites": [
            {
                "path": each.path,
                "name": each.suite.name,
                "title": each.suite.label,
                "summary": each.suite.summary,
                "summaryZh": each.summary_zh,
                "benchmarks": [
                    f"{member.repo_id.partition('/')[2]}:{member.path}"
                    for member in each.suite.members
                ],
            }
            for each in dataset.suites
        ],
    }


def _benchmark(shipped: ShippedBenchmark) -> dict[str, Any]:
    definition = shipped.definition
    return {
        "path": shipped.path,
        "task": definition.task,
        "title": definition.label,
        "summary": definition.labels.summary,
        "summaryZh": shipped.summary_zh,
        "language": definition.labels.language,
        "outputType": definition.output_type,
        "metrics": [metric.name for metric in definition.metrics],
        "direction": definition.direction.value,
        "target": definition.target,
        "margin": definition.margin.written if definition.margin else None,
        "items": shipped.item_count,
        "clusters": shipped.cluster_count,
        "digest": shipped.digest,
    }
