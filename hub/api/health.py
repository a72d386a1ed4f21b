"""Is it alive, is it ready, what does it count: for supervisors, balancers and Prometheus."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from hub.http.parts import states_of_parts
from hub.models import Repository, StoredObject, User


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process answers at all."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every part answers, else 503; each part by name."""
    parts = states_of_parts()
    ready = all(state == "ok" for state in parts.values())
    return JsonResponse({"ready": ready, "parts": parts}, status=200 if ready else 503)


class HubCollector:
    """Numbers read when asked for, so that every process of the hub gives the same answer."""

    def collect(self) -> Iterator[Metric]:
        yield _gauge("hub_people", "Accounts.", User.objects.filter(is_active=True).count())
        repositories = GaugeMetricFamily(
            "hub_repositories", "Repositories.", labels=["kind", "visibility"]
        )
        groups = Repository.objects.values_list("kind", "visibility").annotate(Count("pk"))
        for kind, visibility, count in groups:
            repositories.add_metric([kind, visibility], count)
        yield repositories
        stored = StoredObject.objects.aggregate(count=Count("pk"), size=Sum("size_bytes"))
        yield _gauge("hub_objects", "Large files stored.", stored["count"])
        yield _gauge("hub_objects_bytes", "Bytes of large files.", stored["size"] or 0)
        downloads = Repository.objects.aggregate(total=Sum("downloads"))["total"]
        yield _gauge("hub_downloads", "Downloads counted.", downloads or 0)
        free = shutil.disk_usage(settings.DATA_DIR).free
        yield _gauge("hub_disk_free_bytes", "Free space under DATA_DIR.", free)


def _gauge(name: str, help_text: str, value: Any) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text: counts only, no names."""
    registry = CollectorRegistry()
    registry.register(HubCollector())
    return HttpResponse(generate_latest(registry), content_type="text/plain; version=0.0.4")
